// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Logout Response, RFC 7143 §11.15.
package struct LogoutResponse: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x26
    /// Always final.
    package var flags: UInt8 = 0x80
    /// 0 closed, 1 no such connection, 2 recovery not supported, 3 clean-up failed.
    package var response: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var sequence = TargetSequence()
    package var secondsToWait: UInt16 = 0
    package var secondsToRetain: UInt16 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&response, at: 2)
        coder.field(&initiatorTaskTag, at: 16)
        sequence.layout(&coder)
        coder.field(&secondsToWait, at: 40)
        coder.field(&secondsToRetain, at: 42)
    }
}
