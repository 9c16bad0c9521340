// SPDX-License-Identifier: Apache-2.0

/// One `key=value` of a login or text negotiation (RFC 7143 §6.1).
package struct TextPair: Equatable, Sendable {
    package var key: String
    package var value: String
    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

/// The text form: pairs, each ended by a NUL. Bounded on the way in, so that nothing of a peer's grows without limit.
package enum TextKeys {
    package static let keyByteLimit = 63
    package static let valueByteLimit = 255
    /// CHAP_C and CHAP_R: 1024 bytes in hexadecimal.
    package static let binaryValueByteLimit = 2 + 2 * 1024
    /// Pairs in one exchange.
    package static let pairLimit = 128
    /// All text of one login or one text exchange; RFC 7143 §6.2 asks for at least 8 KiB.
    package static let exchangeByteLimit = 16 << 10

    /// Runs of NULs are padding; the last pair may lack its NUL. Nothing outside of `bytes` is looked at.
    package static func parse(_ bytes: [UInt8]) throws(ISCSIError) -> [TextPair] {
        var pairs: [TextPair] = []
        for piece in bytes.split(separator: 0, omittingEmptySubsequences: true) {
            guard let equals = piece.firstIndex(of: UInt8(ascii: "=")) else {
                throw .malformedText("a pair without '='")
            }
            let key = piece[..<equals]
            let value = piece[piece.index(after: equals)...]
            guard !key.isEmpty, key.count <= keyByteLimit else { throw .malformedText("a key of \(key.count) bytes") }
            guard value.count <= valueByteLimit(of: key) else {
                throw .malformedText("a value of \(value.count) bytes")
            }
            guard key.allSatisfy(isKeyByte) else { throw .malformedText("a key with a forbidden character") }
            guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }),
                let text = String(validating: value, as: UTF8.self)
            else { throw .malformedText("a value that is not printable UTF-8") }
            guard pairs.count < pairLimit else { throw .malformedText("more than \(pairLimit) pairs") }
            pairs.append(TextPair(String(decoding: key, as: UTF8.self), text))
        }
        return pairs
    }

    /// RFC 7143 §6.1: 255 bytes where a key's own description does not allow more.
    private static func valueByteLimit(of key: ArraySlice<UInt8>) -> Int {
        let isBinary = key.elementsEqual("CHAP_C".utf8) || key.elementsEqual("CHAP_R".utf8)
        return isBinary ? binaryValueByteLimit : valueByteLimit
    }

    package static func encode(_ pairs: [TextPair]) -> [UInt8] {
        var bytes: [UInt8] = []
        for pair in pairs {
            bytes.append(contentsOf: pair.key.utf8)
            bytes.append(UInt8(ascii: "="))
            bytes.append(contentsOf: pair.value.utf8)
            bytes.append(0)
        }
        return bytes
    }

    /// The alphabet of standard labels, with `#` of private extension keys (RFC 7143 §6.1).
    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"),
            UInt8(ascii: "@"), UInt8(ascii: "_"), UInt8(ascii: "#"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
