// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

@Suite struct FormatPackTests {
    private let codec = ZstdCodec()

    private func run(_ start: UInt64, _ count: UInt64) -> BlockRange {
        BlockRange(start: BlockIndex(start), count: count)
    }

    @Test func rawPackIsTheGoldenOne() throws {
        let data = [FormatSamples.noise(1)]
        let plan = FormatSamples.plan(
            [FormatSamples.frame([1000], data)], zeroRuns: [run(2000, 3), run(1 << 20, 1 << 29)], level: 0)
        let built = try FormatSamples.build(plan, data)
        #expect(try built.bytes == Golden.bytes("pack/v1/pack-raw"))
        let end = Int(built.directoryOffset) + built.directoryBytes.count
        #expect(Array(built.bytes[Int(built.directoryOffset)..<end]) == built.directoryBytes)
        #expect(end + PackFooter.byteCount == built.bytes.count)
        #expect(built.reference.byteCount == UInt64(built.bytes.count))
        #expect(built.directory.zeroRuns == plan.zeroRuns)
    }

    @Test func compressedGoldenPackReadsAlone() throws {
        let golden = try Golden.bytes("pack/v1/pack-zstd")
        let pack = try PackFormat.decode(golden, expecting: FormatSamples.identity, codec: codec)
        #expect(pack.frames.map { $0.blocks.map(\.rawValue) } == [[1000, 1001], [5, 9, 1030]])
        #expect(Array(pack.frames[0].bytes) == FormatSamples.letters("D") + FormatSamples.letters("E"))
        #expect(pack.zeroRuns == [run(2000, 3)])
        #expect(pack.footer.firstSequence == JournalSequence(40) && pack.footer.lastSequence == JournalSequence(99))
    }

    @Test func damageIsNeverBelieved() throws {
        let golden = try Golden.bytes("pack/v1/pack-zstd")
        FormatSamples.expectRefusal(ofDamageTo: golden) {
            _ = try PackFormat.decode($0, expecting: FormatSamples.identity, codec: codec)
        }
        let footer = Array(golden.suffix(64))
        let decoded = try PackFormat.decodeFooter(
            footer, expecting: FormatSamples.identity, packByteCount: UInt64(golden.count))
        let start = Int(decoded.directoryOffset)
        let directory = Array(golden[start..<start + Int(decoded.directoryByteCount)])
        FormatSamples.expectRefusal(ofDamageTo: directory) {
            _ = try PackFormat.decodeDirectory($0, expecting: FormatSamples.volume, FormatSamples.name)
        }
        #expect(throws: EngineError.self) {
            try PackFormat.decodeDirectory(directory, expecting: VolumeID(rawValue: 1), FormatSamples.name)
        }
        #expect(throws: EngineError.self) {
            try PackFormat.decodeFooter(footer, expecting: FormatSamples.identity, packByteCount: 1)
        }
    }

    @Test func randomPacksReadBack() throws {
        var random = SeededRandom(seed: 12)
        for _ in 0..<20 {
            var frames: [PackPlan.Frame] = []
            var data: [[UInt8]] = []
            var next: UInt64 = 0
            for _ in 0..<random.below(12) {
                var blocks: [UInt64] = []
                let isContiguous = random.oneIn(2)
                for _ in 0..<random.below(isContiguous ? 16 : 4) + 1 {
                    next += isContiguous && !blocks.isEmpty ? 1 : UInt64(random.below(5000)) + 2
                    blocks.append(next)
                }
                let bytes = blocks.map { [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: 4096) }
                frames.append(FormatSamples.frame(blocks, bytes))
                data += bytes
            }
            frames.shuffle(using: &random)
            data = frames.flatMap { frame in
                frame.blocks.map { [UInt8](repeating: UInt8(truncatingIfNeeded: $0.rawValue), count: 4096) }
            }
            let plan = FormatSamples.plan(
                frames, zeroRuns: [run(next + 1, 5), run(next + 10, 1 << 30)], level: UInt8(random.below(10)))
            #expect(try PackPlan(decoding: plan.encoded()) == plan)
            let built = try FormatSamples.build(plan, data)
            let pack = try PackFormat.decode(built.bytes, expecting: plan.identity, codec: codec)
            #expect(pack.frames.map(\.blocks) == frames.map(\.blocks) && pack.zeroRuns == plan.zeroRuns)
            #expect(pack.frames.flatMap(\.bytes) == Array(data.joined()))
            let directory = try PackFormat.decodeDirectory(
                built.directoryBytes, expecting: plan.volume, plan.name)
            #expect(directory == built.directory && directory.frames.map(\.blocks) == frames.map(\.blocks))
        }
    }

    @Test func plansThatContradictThemselvesAreRefused() throws {
        let block = FormatSamples.letters("A")
        let frame = FormatSamples.frame([10], [block])
        let twice = FormatSamples.plan([frame, frame], zeroRuns: [], level: 1)
        let zeroedToo = FormatSamples.plan([frame], zeroRuns: [run(9, 2)], level: 1)
        let outOfOrder = FormatSamples.plan([], zeroRuns: [run(20, 2), run(15, 2)], level: 1)
        let empty = FormatSamples.plan([], zeroRuns: [], level: 1)
        let level = FormatSamples.plan([frame], zeroRuns: [], level: 10)
        let far = FormatSamples.plan([], zeroRuns: [run(1 << 34, 1)], level: 1)
        var backwards = FormatSamples.plan([frame], zeroRuns: [], level: 1)
        backwards.lastSequence = .zero
        for plan in [twice, zeroedToo, outOfOrder, empty, level, far, backwards] {
            #expect(throws: EngineError.self) { try plan.validate() }
            #expect(throws: EngineError.self) { try PackPlan(decoding: plan.encoded()) }
            #expect(throws: EngineError.self) {
                try FormatSamples.build(plan, [[UInt8]](repeating: block, count: plan.blockCount))
            }
        }
        #expect(throws: EngineError.self) {
            try FormatSamples.build(FormatSamples.plan([frame], zeroRuns: [], level: 1), [block, block])
        }
    }

    @Test func hostilePlansAreRefusedOrMeanSomething() throws {
        let blocks = (0..<16).map { UInt64($0) + 100 }
        let data = blocks.map { _ in FormatSamples.letters("A") }
        let plan = FormatSamples.plan(
            [FormatSamples.frame(blocks, data), FormatSamples.frame([1, 5, 9], Array(data[..<3]))],
            zeroRuns: [run(200, 10)], level: 3)
        let bytes = plan.encoded()
        for length in 0..<bytes.count {
            #expect(throws: EngineError.self) { try PackPlan(decoding: Array(bytes[..<length])) }
        }
        var random = SeededRandom(seed: 13)
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0...random.below(3) { damaged[random.below(bytes.count)] = UInt8(random.below(256)) }
            if let decoded = try? PackPlan(decoding: damaged) {
                #expect(try PackPlan(decoding: decoded.encoded()) == decoded)
            }
        }
    }

    @Test func packsBeyondWhatAnEntryCanPointToAreRefused() throws {
        // The 513th raw frame of 16 blocks would begin beyond 32 MiB.
        let block = FormatSamples.noise(3)
        let checksums = [UInt32](repeating: CRC32C.checksum(block), count: 16)
        let frames = (0..<513).map { (frame: UInt64) in
            PackPlan.Frame(blocks: (0..<16).map { BlockIndex(frame * 16 + $0) }, checksums: checksums)
        }
        let data = [[UInt8]](repeating: block, count: 512 * 16)
        let whole = try FormatSamples.build(FormatSamples.plan(Array(frames.dropLast()), zeroRuns: [], level: 0), data)
        #expect(whole.directory.frames.count == 512)
        #expect(throws: EngineError.self) {
            try FormatSamples.build(FormatSamples.plan(frames, zeroRuns: [], level: 0), data + data[..<16])
        }
    }
}
