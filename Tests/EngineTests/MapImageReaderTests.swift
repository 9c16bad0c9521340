// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // To make a directory that no writer makes.

@Suite struct MapImageReaderTests {
    private struct Unplugged: Error {}

    /// A volume with folded and unfolded packs of every kind of frame.
    private func sample() throws -> MapModelVolume {
        let volume = MapModelVolume(blockCount: 20_000, seed: 1)
        try volume.fold(adding: [try volume.pack(Set(0..<100).union([3000, 5000, 7000, 19_999]))])
        try volume.map.apply([
            try volume.pack([50, 51, 9000, 12_000], zeroed: [BlockRange(start: BlockIndex(60), count: 3000)])
        ])
        return volume
    }

    @Test func damageAnywhereIsNoticed() throws {
        let volume = try sample()
        try volume.checkExport()
        var random = SeededRandom(seed: 2)
        let needed = volume.bucket
        for (key, bytes) in needed.sorted(by: { $0.key < $1.key }) {
            for _ in 0..<25 {
                var damaged = bytes
                damaged[random.below(bytes.count)] ^= UInt8(1 << random.below(8))
                volume.bucket[key] = damaged
                var blocks: UInt64 = 0
                let reader = ImageReader(
                    root: volume.map.root, volumeByteCount: 20_000 * 4096, read: volume.read)
                do {
                    // Either the bytes were not needed, and the image is right, or the reader stops.
                    try reader.forEachExtent { range, content in
                        blocks += range.count
                        guard case .bytes(let bytes) = content else { return }
                        for step in 0..<Int(range.count) {
                            let stamp = MapModelVolume.stamp(of: bytes, block: step)
                            #expect(stamp != nil && stamp == volume.model[range.start.rawValue + UInt64(step)])
                        }
                    }
                    #expect(blocks == 20_000)
                } catch is EngineError {}
            }
            volume.bucket[key] = bytes
        }
    }

    /// Directory and frame are both sound, but do not belong together.
    @Test func aFrameWithOtherBlocksThanTheMapSaysIsNoticed() throws {
        let volume = MapModelVolume(blockCount: 1000, seed: 5)
        let pack = try volume.pack([5])
        let frame = pack.directory.frames[0]
        let directory = PackDirectoryFormat.encode(
            identity: PackIdentity(volume: volume.volume, name: pack.reference.name),
            entries: [
                PackDirectoryFormat.Entry(
                    byteOffset: frame.byteOffset, byteCount: frame.byteCount, storedChecksum: 0,
                    blocks: [BlockIndex(6)], checksums: [0])
            ], zeroRuns: [])
        #expect(directory.count == Int(pack.reference.directoryByteCount))
        let start = Int(pack.reference.directoryOffset)
        volume.bucket[BucketLayout.dataPack(volume.volume, pack.reference.name)]?.replaceSubrange(
            start..<start + directory.count, with: directory)
        let reader = ImageReader(
            root: ImageRoot(packs: [pack.reference]), volumeByteCount: 1000 * 4096, read: volume.read)
        let reference = FrameReference(
            owner: volume.volume, pack: pack.reference.name, byteOffset: frame.byteOffset, byteCount: frame.byteCount)
        #expect(throws: ImageReader.Failure.wrongBlock(BlockIndex(6), reference)) {
            try reader.forEachExtent { _, _ in }
        }
    }

    @Test func errorsOfStoreAndReceiverComeThrough() throws {
        let volume = try sample()
        let unplugged = ImageReader(root: volume.map.root, volumeByteCount: 20_000 * 4096) { _, _, _ in
            throw Unplugged()
        }
        #expect(throws: Unplugged.self) { try unplugged.forEachExtent { _, _ in } }
        let short = ImageReader(root: volume.map.root, volumeByteCount: 20_000 * 4096) { key, offset, count in
            Array(try volume.read(key, offset, count).dropLast())
        }
        #expect(throws: EngineError.self) { try short.forEachExtent { _, _ in } }
        let reader = ImageReader(root: volume.map.root, volumeByteCount: 20_000 * 4096, read: volume.read)
        #expect(throws: Unplugged.self) { try reader.forEachExtent { _, _ in throw Unplugged() } }
    }

    @Test func whatWasDamagedOnTheWayIsReadAgain() throws {
        let volume = MapModelVolume(blockCount: 20_000, seed: 5, mapPackByteCount: 1 << 20)
        try volume.fold(adding: [try volume.pack(Set((0..<300).map { $0 * 61 }))])
        try volume.map.apply([try volume.pack(Set(40..<90))])
        var random = SeededRandom(seed: 11)
        var reads = 0
        let reader = ImageReader(root: volume.map.root, volumeByteCount: 20_000 * 4096) { key, offset, count in
            var bytes = try volume.read(key, offset, count)
            reads += 1
            if reads % 3 != 0 { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
            return bytes
        }
        var blockCount: UInt64 = 0
        try reader.forEachExtent { blocks, content in if content != .zero { blockCount += blocks.count } }
        #expect(blockCount == UInt64(Set((0..<300).map { $0 * 61 }).union(40..<90).count))
        #expect(reads > 6)
    }

    @Test func aSequentialImageCostsFewReads() throws {
        let volume = MapModelVolume(blockCount: 8192, seed: 3, mapPackByteCount: 1 << 20)
        for start in stride(from: 0, to: 8192, by: 1024) as StrideTo<UInt64> {
            try volume.map.apply([try volume.pack(Set(start..<start + 1024))])
        }
        try volume.fold()
        var reads = 0
        var byteCount = 0
        let reader = ImageReader(root: volume.map.root, volumeByteCount: 8192 * 4096) { key, offset, count in
            reads += 1
            byteCount += count
            return try volume.read(key, offset, count)
        }
        try reader.forEachExtent { blocks, content in
            #expect(content != .zero && blocks.count == 1024)
        }
        // Roots, one page, the leaves at once, and one read a pack.
        #expect(reads <= 4 + 8)
        let stored = volume.bucket.values.reduce(0) { $0 + $1.count }
        #expect(byteCount <= stored)
    }

    @Test func scatteredFramesAreReadOnceIfTheCacheHoldsThem() throws {
        let volume = MapModelVolume(blockCount: 100_000, seed: 4, mapPackByteCount: 1 << 20)
        // Each frame of four blocks crosses leaves.
        try volume.fold(adding: [try volume.pack(Set((0..<64).map { $0 * 1500 }))])
        for (cache, isOnce) in [(1 << 20, true), (0, false)] {
            var offsets: [UInt64] = []
            let reader = ImageReader(
                root: volume.map.root, volumeByteCount: 100_000 * 4096, cacheByteCount: cache
            ) { key, offset, count in
                if key.name.contains("/data/") { offsets.append(offset) }
                return try volume.read(key, offset, count)
            }
            try reader.forEachExtent { _, _ in }
            #expect((offsets.count == 16) == isOnce && Set(offsets).count == 16)
        }
    }
}
