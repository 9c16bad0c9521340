// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Reject, RFC 7143 §11.17. Its data segment is the header that was refused.
package struct Reject: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x3f
    /// Always final.
    package var flags: UInt8 = 0x80
    package var reason: UInt8 = 0
    package var initiatorTaskTag: UInt32 = TaskTag.reserved
    package var sequence = TargetSequence()
    package var dataSN: UInt32 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&reason, at: 2)
        coder.field(&initiatorTaskTag, at: 16)
        sequence.layout(&coder)
        coder.field(&dataSN, at: 36)
    }
}
