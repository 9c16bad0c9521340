// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

struct CHAPValueTests {
    @Test func encodesInLowerCase() {
        #expect(CHAPValue.encode([0x00, 0xab, 0xff]) == "0x00abff")
    }

    @Test func decodesHexadecimalAndBase64() {
        let table: [(String, [UInt8])] = [
            ("0x00abff", [0x00, 0xab, 0xff]), ("0X00ABfF", [0x00, 0xab, 0xff]),
            ("0bAKv/", [0x00, 0xab, 0xff]), ("0BAKv/", [0x00, 0xab, 0xff]),
            ("0bAKs=", [0x00, 0xab]), ("0b/w==", [0xff]), ("0b++//", [0xfb, 0xef, 0xff]),
        ]
        for (text, bytes) in table {
            #expect(CHAPValue.decode(text, byteCounts: bytes.count...bytes.count) == bytes, "\(text)")
            #expect(CHAPValue.decode(text, byteCounts: 0...(bytes.count - 1)) == nil, "\(text)")
            #expect(CHAPValue.decode(text, byteCounts: (bytes.count + 1)...20) == nil, "\(text)")
        }
    }

    @Test func refusesEverythingElse() {
        let texts = [
            "", "0", "x", "00ff", "0xf", "0xfff", "0xgg", "0x 1", "0x0x", "1xff", "255", "0b", "0x", "0bA", "0bAA",
            "0bAAA", "0b=", "0b====", "0bA===", "0bAA=A", "0b=AAA", "0bAA==AA==", "0bAKv_", "0bAKv-", "0bAK v",
            // The last character has bits that belong to no byte.
            "0bAB==", "0bAAB=",
        ]
        for text in texts {
            #expect(CHAPValue.decode(text, byteCounts: 1...1024) == nil, "\(text)")
        }
        #expect(CHAPValue.decode("0x" + String(repeating: "a", count: 1 << 17), byteCounts: 16...16) == nil)
    }

    @Test func whatIsEncodedDecodes() {
        var random = SeededRandom(seed: 3)
        for count in 1...200 {
            let bytes = random.bytes(count)
            #expect(CHAPValue.decode(CHAPValue.encode(bytes), byteCounts: count...count) == bytes)
            #expect(CHAPValue.decode(base64(bytes), byteCounts: count...count) == bytes)
        }
    }
}

/// As an initiator would send it.
func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = "0b"
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = Array(bytes[start..<min(start + 3, bytes.count)])
        let word = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[$1]) : 0) }
        for place in 0..<4 { text.append(place <= group.count ? alphabet[word >> (18 - 6 * place) & 63] : "=") }
    }
    return text
}
