// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Task Management Function Response, RFC 7143 §11.6.
package struct TaskManagementResponse: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x22
    /// Always final.
    package var flags: UInt8 = 0x80
    package var response: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var sequence = TargetSequence()
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&response, at: 2)
        coder.field(&initiatorTaskTag, at: 16)
        sequence.layout(&coder)
    }
}
