// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Login Response, RFC 7143 §11.13.
package struct LoginResponse: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x23
    package var flags = LoginFlags()
    package var versionMaximum: UInt8 = 0
    package var versionActive: UInt8 = 0
    package var isid = InitiatorSessionID(rawValue: 0)
    /// 0 until the final response.
    package var tsih: UInt16 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var sequence = TargetSequence()
    /// Class and detail; `LoginStatus` names those we send.
    package var status: UInt16 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags.rawValue, at: 1)
        coder.field(&versionMaximum, at: 2)
        coder.field(&versionActive, at: 3)
        coder.field48(&isid.rawValue, at: 8)
        coder.field(&tsih, at: 14)
        coder.field(&initiatorTaskTag, at: 16)
        sequence.layout(&coder)
        coder.field(&status, at: 36)
    }
}
