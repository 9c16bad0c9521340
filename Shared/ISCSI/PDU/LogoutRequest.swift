// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Logout Request, RFC 7143 §11.14.
package struct LogoutRequest: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x06
    /// Delivered at once; its CmdSN is not consumed.
    package var isImmediate = false
    /// 0 closes the session, 1 the connection, 2 removes a connection for recovery.
    package var reason: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var connectionID: UInt16 = 0
    package var cmdSN = SerialNumber(0)
    package var expStatSN = SerialNumber(0)
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isImmediate, mask: 0x40, at: 0)
        reason |= 0x80  // The F bit shares the byte and is always set.
        coder.field(&reason, at: 1)
        reason &= 0x7f
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&connectionID, at: 20)
        coder.field(&cmdSN.rawValue, at: 24)
        coder.field(&expStatSN.rawValue, at: 28)
    }
}
