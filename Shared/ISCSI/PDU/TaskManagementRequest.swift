// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// Task Management Function Request, RFC 7143 §11.5.
package struct TaskManagementRequest: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x02
    /// Delivered at once; its CmdSN is not consumed.
    package var isImmediate = false
    /// Seven bits; `TaskManagementFunction` names those that exist.
    package var function: UInt8 = 0
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var referencedTaskTag: UInt32 = TaskTag.reserved
    package var cmdSN = SerialNumber(0)
    package var expStatSN = SerialNumber(0)
    package var refCmdSN = SerialNumber(0)
    package var expDataSN: UInt32 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isImmediate, mask: 0x40, at: 0)
        function |= 0x80  // The F bit shares the byte and is always set.
        coder.field(&function, at: 1)
        function &= 0x7f
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&referencedTaskTag, at: 20)
        coder.field(&cmdSN.rawValue, at: 24)
        coder.field(&expStatSN.rawValue, at: 28)
        coder.field(&refCmdSN.rawValue, at: 32)
        coder.field(&expDataSN, at: 36)
    }
}
