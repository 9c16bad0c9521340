// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// SCSI Data-Out, RFC 7143 §11.7.
package struct SCSIDataOut: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x05
    /// Ends its sequence.
    package var isFinal = false
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var expStatSN = SerialNumber(0)
    package var dataSN: UInt32 = 0
    package var bufferOffset: UInt32 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isFinal, mask: 0x80, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        coder.field(&expStatSN.rawValue, at: 28)
        coder.field(&dataSN, at: 36)
        coder.field(&bufferOffset, at: 40)
    }
}
