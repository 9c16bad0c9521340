// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Engine  // The codec alone.

struct ZstdCodecTests {
    private let codec = ZstdCodec()
    private static let byteCount = 64 << 10
    private let text = Array(String(repeating: "Lorem ipsum dolor sit amet. ", count: 2400).utf8.prefix(byteCount))

    private func compress(_ source: [UInt8]) throws -> [UInt8]? {
        try unsafe source.withUnsafeBytes { bytes in
            try unsafe codec.compress(bytes, level: 1) ? Array(codec.compressed) : nil
        }
    }

    private func noise(_ seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return random.bytes(Self.byteCount)
    }

    @Test func comesBackAsItWas() throws {
        let compressed = try #require(try compress(text))
        #expect(compressed.count < text.count / 4)
        #expect(try codec.decompress(compressed[...], byteCount: text.count) == text)
    }

    @Test func afterNoiseWhatCanBeCompressedStillIs() throws {
        for seed in 0..<4 as Range<UInt64> {
            #expect(try compress(noise(seed)) == nil)
            #expect(try compress(noise(seed + 10)) == nil)
            // Noise at both ends hides nothing from a sample of the middle.
            let mixed = noise(seed)[..<8192] + text[8192..<57_344] + noise(seed)[57_344...]
            #expect(try compress(Array(mixed)) != nil)
        }
    }

    @Test func shortSourcesAreTriedWhole() throws {
        #expect(try compress(noise(1)) == nil)
        #expect(try compress(Array(noise(2)[..<4096] + text[..<8192])) != nil)
        #expect(try compress([]) == nil && compress([1]) == nil)
    }
}
