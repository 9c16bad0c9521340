// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// NOP-Out, RFC 7143 §11.18. Task tag FFFFFFFF: wants no answer (it is one, or only moves ExpStatSN).
package struct NOPOut: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x00
    /// Delivered at once; its CmdSN is not consumed.
    package var isImmediate = false
    /// Always final.
    package var flags: UInt8 = 0x80
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var cmdSN = SerialNumber(0)
    package var expStatSN = SerialNumber(0)
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isImmediate, mask: 0x40, at: 0)
        coder.field(&flags, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        coder.field(&cmdSN.rawValue, at: 24)
        coder.field(&expStatSN.rawValue, at: 28)
    }
}
