// SPDX-License-Identifier: Apache-2.0
import Wire

/// ISID, the initiator's part of a session's identity: 48 bits, opaque to a target (RFC 7143 §11.12.5).
package struct InitiatorSessionID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue & 0xffff_ffff_ffff }
    package var description: String { "0x" + hexadecimal(rawValue, digits: 12) }
}
