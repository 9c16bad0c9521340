// SPDX-License-Identifier: Apache-2.0

/// The value forms of RFC 7143 §6.1; anything else is nil, which a negotiation answers with `Reject`.
package enum TextValue {
    /// Decimal, or hexadecimal after `0x`. No sign, no spaces, and nothing beyond 64 bits.
    package static func number(_ text: String) -> UInt64? {
        let bytes = text.utf8
        if text.hasPrefix("0x") || text.hasPrefix("0X") {
            let digits = bytes.dropFirst(2)
            guard !digits.isEmpty, digits.count <= 16, digits.allSatisfy(isHexadecimalDigit) else { return nil }
            return UInt64(text.dropFirst(2), radix: 16)
        }
        guard !bytes.isEmpty, bytes.count <= 20, bytes.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return UInt64(text)
    }

    package static func boolean(_ text: String) -> Bool? {
        switch text {
        case "Yes": true
        case "No": false
        default: nil
        }
    }

    package static func list(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// An iSCSI name in its normal (lower-case) form, or nil (RFC 7143 §4.2.7): at most 223 bytes, `iqn.`, `eui.` or
    /// `naa.`, of the characters that survive normalisation unchanged.
    package static func name(_ text: String) -> String? {
        let name = text.lowercased()
        guard (5...223).contains(name.utf8.count), ["iqn.", "eui.", "naa."].contains(where: name.hasPrefix) else {
            return nil
        }
        // The underscore is not in the RFC's profile, but initiators in the field carry it.
        let isPlain = name.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "0"..."9", "-", ".", ":", "_": true
            default: scalar.value >= 0x80 && scalar.properties.isAlphabetic
            }
        }
        return isPlain ? name : nil
    }

    private static func isHexadecimalDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}
