// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// SCSI Data-In, RFC 7143 §11.7.
package struct SCSIDataIn: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x25
    /// 80h final, 40h acknowledge, 04h overflow, 02h underflow, 01h carries status.
    package var flags: UInt8 = 0
    package var status: UInt8 = 0
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var sequence = TargetSequence()
    package var dataSN: UInt32 = 0
    package var bufferOffset: UInt32 = 0
    package var residual: UInt32 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&status, at: 3)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        sequence.layout(&coder)
        coder.field(&dataSN, at: 36)
        coder.field(&bufferOffset, at: 40)
        coder.field(&residual, at: 44)
    }
}
