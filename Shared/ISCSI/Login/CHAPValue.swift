// SPDX-License-Identifier: Apache-2.0

/// The binary values of CHAP_C and CHAP_R (RFC 7143 §6.1): hexadecimal after `0x`, base64 after `0b`. The number of
/// bytes follows from the length of the text and is checked before anything is decoded.
package enum CHAPValue {
    /// Lower case: some initiators decode nothing else.
    package static func encode(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("0x".utf8)
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil unless the text is well-formed and stands for as many bytes as `byteCounts` allows.
    package static func decode(_ text: String, byteCounts: ClosedRange<Int>) -> [UInt8]? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 2, bytes[0] == UInt8(ascii: "0") else { return nil }
        switch bytes[1] {
        case UInt8(ascii: "x"), UInt8(ascii: "X"): return hexadecimal(bytes[2...], byteCounts)
        case UInt8(ascii: "b"), UInt8(ascii: "B"): return base64(bytes[2...], byteCounts)
        default: return nil
        }
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>, _ byteCounts: ClosedRange<Int>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2), byteCounts.contains(digits.count / 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
            guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }

    /// RFC 4648 §4, with padding, and with zeros in the bits that no byte uses.
    private static func base64(_ text: ArraySlice<UInt8>, _ byteCounts: ClosedRange<Int>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        let byteCount = text.count / 4 * 3 - padding
        guard byteCounts.contains(byteCount) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        var (bits, bitCount) = (UInt32(0), 0)
        for character in text.dropLast(padding) {
            guard let sextet = sextet(character) else { return nil }
            bits = bits << 6 | UInt32(sextet)
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
            bits &= 1 << UInt32(bitCount) - 1
        }
        return bits == 0 && bytes.count == byteCount ? bytes : nil
    }

    private static func sextet(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
