// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

struct TextKeysTests {
    @Test func splitsPairsAndForgivesPaddingAndAMissingEnd() throws {
        let pairs = [TextPair("InitiatorName", "iqn.2026-11.com.example:a"), TextPair("X-test", "a=b")]
        let bytes = TextKeys.encode(pairs)
        #expect(try TextKeys.parse(bytes) == pairs)
        #expect(try TextKeys.parse(Array(bytes.dropLast())) == pairs)
        #expect(try TextKeys.parse([0, 0] + bytes + [0, 0, 0]) == pairs)
        #expect(try TextKeys.parse([]) == [])
        #expect(try TextKeys.parse(Array("Key=\0".utf8)) == [TextPair("Key", "")])
    }

    @Test func refusesWhatIsNotAPair() {
        let texts = [
            "key", "=x", "Key\u{1}=x", "Ke y=x", "Key=a\u{7}", String(repeating: "k", count: 64) + "=x",
            "Key=" + String(repeating: "v", count: 256), "Schlüssel=x",
        ]
        for text in texts {
            #expect(throws: ISCSIError.self) { try TextKeys.parse(Array(text.utf8) + [0]) }
        }
        #expect(throws: ISCSIError.self) { try TextKeys.parse(Array("Key=".utf8) + [0xff, 0xfe, 0]) }
    }

    @Test func takesTheLongestKeyAndValueAndBoundsTheirNumber() throws {
        let longest = TextPair(String(repeating: "k", count: 63), String(repeating: "v", count: 255))
        #expect(try TextKeys.parse(TextKeys.encode([longest])) == [longest])
        let many = Array(repeating: TextPair("a", "b"), count: TextKeys.pairLimit)
        #expect(try TextKeys.parse(TextKeys.encode(many)).count == TextKeys.pairLimit)
        #expect(throws: ISCSIError.self) { try TextKeys.parse(TextKeys.encode(many + [TextPair("a", "b")])) }
    }

    @Test func onlyBinaryValuesOfCHAPMayBeLong() throws {
        let limit = TextKeys.binaryValueByteLimit
        #expect(limit == 2050)
        for key in ["CHAP_C", "CHAP_R"] {
            let longest = TextPair(key, String(repeating: "a", count: limit))
            #expect(try TextKeys.parse(TextKeys.encode([longest])) == [longest])
            let longer = TextPair(key, String(repeating: "a", count: limit + 1))
            #expect(throws: ISCSIError.self) { try TextKeys.parse(TextKeys.encode([longer])) }
        }
        for key in ["CHAP_N", "CHAP_A", "CHAP_I", "CHAP_CC", "CHAP_", "chap_c", "SendTargets", "X-a"] {
            let long = TextPair(key, String(repeating: "a", count: 256))
            #expect(throws: ISCSIError.self) { try TextKeys.parse(TextKeys.encode([long])) }
        }
    }

    /// CVE-2026-90011: whole PDUs without an end, at the edge of a buffer.
    @Test func readsTextsWithoutAnEndUpToTheirLength() throws {
        for count in 8185...8192 {
            let last = [UInt8](repeating: UInt8(ascii: "v"), count: 200)
            var text = TextKeys.encode([TextPair("a", "b")])
            text += [UInt8](repeating: 0, count: count - text.count - 202) + Array("k=".utf8) + last
            let expected = [TextPair("a", "b"), TextPair("k", String(repeating: "v", count: 200))]
            #expect(try TextKeys.parse(text) == expected)
        }
    }

    @Test func whatParsesEncodesToTheSamePairs() {
        var random = SeededRandom(seed: 21)
        let alphabet = Array("AZaz09=.,-\0 \u{1}é".utf8)
        var parsed = 0
        for _ in 0..<3000 {
            let bytes = (0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }
            guard let pairs = try? TextKeys.parse(bytes) else { continue }
            parsed += pairs.isEmpty ? 0 : 1
            #expect(try! TextKeys.parse(TextKeys.encode(pairs)) == pairs)
        }
        #expect(parsed > 20)
    }

    @Test func numbersAreDecimalOrHexadecimalAndNothingElse() {
        for (text, value) in [("0", 0), ("512", 512), ("0x200", 512), ("0XfF", 255), ("007", 7)] as [(String, UInt64)] {
            #expect(TextValue.number(text) == value)
        }
        #expect(TextValue.number("18446744073709551615") == .max)
        for text in ["", "-1", "+1", " 1", "1 ", "0x", "0xg", "18446744073709551616", "0x10000000000000000", "1e3"] {
            #expect(TextValue.number(text) == nil, "\(text)")
        }
    }

    @Test func namesAreComparedInLowerCase() {
        #expect(TextValue.name("IQN.2026-11.Com.Example:Vol-1") == "iqn.2026-11.com.example:vol-1")
        #expect(TextValue.name("eui.02004567A425678D") == "eui.02004567a425678d")
        for name in ["", "iqn", "iqn.", "foo.bar", "iqn.a b", "iqn.a,b", "iqn." + String(repeating: "a", count: 220)] {
            #expect(TextValue.name(name) == nil, "\(name)")
        }
        #expect(TextValue.name("iqn." + String(repeating: "a", count: 219)) != nil)
    }
}
