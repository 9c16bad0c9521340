// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// Ready To Transfer, RFC 7143 §11.8.
package struct ReadyToTransfer: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x31
    /// Always final.
    package var flags: UInt8 = 0x80
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var sequence = TargetSequence()
    package var r2tSN: UInt32 = 0
    package var bufferOffset: UInt32 = 0
    package var desiredDataTransferLength: UInt32 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        sequence.layout(&coder)
        coder.field(&r2tSN, at: 36)
        coder.field(&bufferOffset, at: 40)
        coder.field(&desiredDataTransferLength, at: 44)
    }
}
