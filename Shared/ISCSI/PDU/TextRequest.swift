// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// Text Request, RFC 7143 §11.10.
package struct TextRequest: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x04
    /// Delivered at once; its CmdSN is not consumed.
    package var isImmediate = false
    package var isFinal = true
    /// The text goes on in the next PDU.
    package var isContinued = false
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var cmdSN = SerialNumber(0)
    package var expStatSN = SerialNumber(0)
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isImmediate, mask: 0x40, at: 0)
        coder.flag(&isFinal, mask: 0x80, at: 1)
        coder.flag(&isContinued, mask: 0x40, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        coder.field(&cmdSN.rawValue, at: 24)
        coder.field(&expStatSN.rawValue, at: 28)
    }
}
