// SPDX-License-Identifier: Apache-2.0

/// How far the initiator's expected data transfer length is from what the command moves (RFC 7143 §11.4.5).
package struct Residual: Equatable, Sendable {
    package private(set) var byteCount: UInt32 = 0
    /// 04h overflow: the command had more; 02h underflow: it had less.
    package private(set) var flag: UInt8 = 0

    /// - Parameter commandByteCount: what the command would move if the initiator expected enough.
    package init(expected: UInt32, commandByteCount: Int) {
        let difference = commandByteCount - Int(expected)
        guard difference != 0 else { return }
        byteCount = UInt32(clamping: difference.magnitude)
        flag = difference > 0 ? 0x04 : 0x02
    }
}
