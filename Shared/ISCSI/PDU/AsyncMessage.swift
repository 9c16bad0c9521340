// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// Asynchronous Message, RFC 7143 §11.9.
package struct AsyncMessage: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x32
    /// Always final.
    package var flags: UInt8 = 0x80
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = TaskTag.reserved
    package var sequence = TargetSequence()
    /// 1 asks for a logout, 2 says that the connection, 3 that all connections go.
    package var event: UInt8 = 0
    package var vendorCode: UInt8 = 0
    package var parameter1: UInt16 = 0
    package var parameter2: UInt16 = 0
    package var parameter3: UInt16 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        sequence.layout(&coder)
        coder.field(&event, at: 36)
        coder.field(&vendorCode, at: 37)
        coder.field(&parameter1, at: 38)
        coder.field(&parameter2, at: 40)
        coder.field(&parameter3, at: 42)
    }
}
