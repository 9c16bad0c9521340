// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // To make frames that no writer makes.

@Suite struct FormatFrameTests {
    private let codec = ZstdCodec()

    @Test func rawFrameIsTheGoldenOne() throws {
        let data = [FormatSamples.noise(1), FormatSamples.noise(2)]
        let golden = try Golden.bytes("pack/v1/frame-raw")
        let frame = FormatSamples.frame([1000, 1001], data)
        #expect(try FormatSamples.encode(frame, data, level: 0) == golden)
        // Noise does not compress: the same bytes at any level.
        #expect(try FormatSamples.encode(frame, data, level: 1) == golden)
        let contents = try FrameFormat.decode(golden, expecting: FormatSamples.identity, codec: codec)
        #expect(contents.blocks == frame.blocks && contents.checksums == frame.checksums)
        #expect(Array(contents.bytes) == data[0] + data[1])
    }

    @Test func compressedGoldenFrameDecodes() throws {
        let data = ["A", "B", "C"].map { FormatSamples.letters($0) }
        let golden = try Golden.bytes("pack/v1/frame-zstd")
        let contents = try FrameFormat.decode(golden, expecting: FormatSamples.identity, codec: codec)
        #expect(contents.blocks.map(\.rawValue) == [5, 9, 1030])
        #expect(Array(contents.bytes) == Array(data.joined()))
    }

    @Test func damageIsNeverBelieved() throws {
        let golden = try Golden.bytes("pack/v1/frame-zstd")
        FormatSamples.expectRefusal(ofDamageTo: golden) {
            _ = try FrameFormat.decode($0, expecting: FormatSamples.identity, codec: codec)
        }
    }

    @Test func framesRoundTrip() throws {
        var random = SeededRandom(seed: 11)
        for _ in 0..<60 {
            var blocks = [UInt64(random.below(1 << 33))]
            for _ in 0..<random.below(16) { blocks.append(blocks[blocks.count - 1] + UInt64(random.below(3)) / 2 + 1) }
            let data = blocks.map { _ in
                random.oneIn(3) ? random.bytes(4096) : [UInt8](repeating: UInt8(random.below(256)), count: 4096)
            }
            let frame = FormatSamples.frame(blocks, data)
            let bytes = try FormatSamples.encode(frame, data, level: random.below(10))
            #expect(bytes.count % 64 == 0 && bytes.count <= FrameFormat.largestByteCount)
            let contents = try FrameFormat.decode(bytes, expecting: nil, codec: codec)
            #expect(contents.blocks == frame.blocks && contents.checksums == frame.checksums)
            #expect(Array(contents.bytes) == Array(data.joined()))
            #expect(try FrameContents(decoding: contents.encoded()) == contents)
        }
    }

    @Test func framesOfAnotherPackAreMisplaced() throws {
        let golden = try Golden.bytes("pack/v1/frame-zstd")
        var other = FormatSamples.identity
        other.name.number += 1
        #expect(throws: EngineError.self) { try FrameFormat.decode(golden, expecting: other, codec: codec) }
        other = PackIdentity(volume: VolumeID(rawValue: 1), name: FormatSamples.name)
        let error = #expect(throws: EngineError.self) {
            try FrameFormat.decode(golden, expecting: other, codec: codec)
        }
        guard case .misplaced = error else {
            Issue.record("refused for another reason")
            return
        }
    }

    @Test func aNewerVersionIsToldFromDamage() throws {
        var golden = try Golden.bytes("pack/v1/frame-zstd")
        golden[4] = 2
        #expect(throws: EngineError.newerFormat(.frame, version: 2)) {
            try FrameFormat.decode(golden, expecting: nil, codec: codec)
        }
        #expect(EngineError.newerFormat(.frame, version: 2).disposition == .refuse)
    }

    @Test func dataThatIsNotWhatItWasIsNotStored() throws {
        let data = [FormatSamples.letters("A")]
        var frame = FormatSamples.frame([1], data)
        frame.checksums[0] ^= 1
        #expect(throws: EngineError.self) { try FormatSamples.encode(frame, data, level: 1) }
        #expect(throws: EngineError.self) {
            try FormatSamples.encode(FormatSamples.frame([2, 1], data + data), data + data, level: 1)
        }
        #expect(throws: EngineError.self) {
            try FormatSamples.encode(FormatSamples.frame([1, 2], data + data), data, level: 1)
        }
    }

    /// Sound in every other way, but a block is not what it was when it arrived.
    @Test func aBlockThatChangedBeforeItWasStoredIsNoticed() throws {
        let data = FormatSamples.letters("A") + FormatSamples.letters("B")
        let header = FrameHeader(
            identity: FormatSamples.identity, codec: .raw, blocks: [BlockIndex(7), BlockIndex(8)],
            checksums: [CRC32C.checksum(FormatSamples.letters("A")), CRC32C.checksum(FormatSamples.letters("C"))],
            payloadByteCount: data.count, payloadChecksum: CRC32C.checksum(data))
        var bytes = header.encoded() + data
        bytes += [UInt8](repeating: 0, count: FrameFormat.padded(bytes.count) - bytes.count)
        #expect(
            throws: EngineError.checksumMismatch(
                .frame, expected: header.checksums[1], found: CRC32C.checksum(FormatSamples.letters("B")))
        ) { try FrameFormat.decode(bytes, expecting: FormatSamples.identity, codec: codec) }
    }

    @Test func contentsOnTheirWayAreCheckedAgain() throws {
        let data = [FormatSamples.letters("A")]
        let contents = FrameContents(
            blocks: [BlockIndex(3)], checksums: [CRC32C.checksum(data[0])], bytes: data[0][...])
        let bytes = contents.encoded()
        #expect(bytes.count == 8 + 12 + 4096)
        for index in [0, 4, 15, 16, 20, 500, 4115] {
            var damaged = bytes
            damaged[index] ^= 0x80
            #expect(throws: EngineError.self) { try FrameContents(decoding: damaged) }
        }
        FormatSamples.expectRefusal(ofDamageTo: Array(bytes[16...]), strideBy: 97) {
            _ = try FrameContents(decoding: Array(bytes[..<16]) + $0)
        }
    }
}
