// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// SCSI Command, RFC 7143 §11.3.
package struct SCSICommand: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x01
    /// Delivered at once; its CmdSN is not consumed.
    package var isImmediate = false
    /// No unsolicited Data-Out follows.
    package var isFinal = true
    package var isRead = false
    package var isWrite = false
    /// 0 untagged, 1 simple, 2 ordered, 3 head of queue, 4 ACA.
    package var attribute: UInt8 = 1
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var expectedDataTransferLength: UInt32 = 0
    package var cmdSN = SerialNumber(0)
    package var expStatSN = SerialNumber(0)
    package var cdb = CDB(rawValue: 0)
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isImmediate, mask: 0x40, at: 0)
        coder.field(&attribute, at: 1)  // First: it writes the whole byte that the flags share.
        attribute &= 0x07
        coder.flag(&isFinal, mask: 0x80, at: 1)
        coder.flag(&isRead, mask: 0x40, at: 1)
        coder.flag(&isWrite, mask: 0x20, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&expectedDataTransferLength, at: 20)
        coder.field(&cmdSN.rawValue, at: 24)
        coder.field(&expStatSN.rawValue, at: 28)
        coder.field(&cdb.rawValue, at: 32)
    }
}
