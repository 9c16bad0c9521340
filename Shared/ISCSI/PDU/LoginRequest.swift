// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Login Request, RFC 7143 §11.12.
package struct LoginRequest: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x03
    /// Delivered at once; its CmdSN is not consumed.
    package var isImmediate = false
    package var flags = LoginFlags()
    package var versionMaximum: UInt8 = 0
    package var versionMinimum: UInt8 = 0
    package var isid = InitiatorSessionID(rawValue: 0)
    /// 0: a new session.
    package var tsih: UInt16 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var connectionID: UInt16 = 0
    package var cmdSN = SerialNumber(0)
    package var expStatSN = SerialNumber(0)
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isImmediate, mask: 0x40, at: 0)
        coder.field(&flags.rawValue, at: 1)
        coder.field(&versionMaximum, at: 2)
        coder.field(&versionMinimum, at: 3)
        coder.field48(&isid.rawValue, at: 8)
        coder.field(&tsih, at: 14)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&connectionID, at: 20)
        coder.field(&cmdSN.rawValue, at: 24)
        coder.field(&expStatSN.rawValue, at: 28)
    }
}
