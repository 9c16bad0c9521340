// SPDX-License-Identifier: Apache-2.0
import Wire

/// An I_T nexus: a hash of initiator port and target port, the same whichever portal the session came through.
package struct NexusID: HexadecimalNumber, Hashable, Comparable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// 64-bit FNV-1a over initiator port and target port in their SCSI names (RFC 7143 §4.4.2), mixed once more because
    /// FNV leaves the high bits of short texts alike. Everybody comes to the same number, and reservations are stored
    /// under it: it never changes.
    /// - Parameter initiatorPort: its name, ",i,0x" and the ISID in 12 digits.
    package init(initiatorPort: String, targetName: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(initiatorPort)|\(targetName),t,\(TargetPort.portalGroupTag)".utf8 {
            hash ^= UInt64(byte)
            hash &*= 0x0000_0100_0000_01b3
        }
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        rawValue = hash ^ hash >> 31
    }
}

/// What an initiator registers for a persistent reservation; 0 means none.
package struct ReservationKey: HexadecimalNumber, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static let none = Self(rawValue: 0)
}

/// 64 bits that stand in a record as 16 digits, since JSON numbers above 2^53 are not safe in other programs' hands.
package protocol HexadecimalNumber: RawRepresentable, Codable where RawValue == UInt64 {
    init(rawValue: UInt64)
}

extension HexadecimalNumber {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.utf8.count == 16, let value = UInt64(text, radix: 16) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is not 16 digits")
        }
        self.init(rawValue: value)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hexadecimal(rawValue, digits: 16))
    }
}
