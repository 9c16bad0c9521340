// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// NOP-In, RFC 7143 §11.19. Task tag FFFFFFFF: a ping of ours, which does not advance StatSN.
package struct NOPIn: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x20
    /// Always final.
    package var flags: UInt8 = 0x80
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = TaskTag.reserved
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var sequence = TargetSequence()
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        sequence.layout(&coder)
    }
}
