// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

@Suite struct MapCommittedMapTests {
    private func range(_ start: UInt64, _ count: UInt64) -> BlockRange {
        BlockRange(start: BlockIndex(start), count: count)
    }

    @Test func aRunNeverCrossesAFrame() throws {
        let volume = MapModelVolume(blockCount: 1000, seed: 1)
        let pack = try volume.pack(Set(10..<50), zeroed: [range(60, 10)])
        try volume.map.apply([pack])
        let expected = pack.directory.frames.map { frame in
            CommittedExtent(
                blocks: BlockRange(start: frame.blocks[0], count: UInt64(frame.blocks.count)),
                source: .frame(
                    FrameReference(
                        owner: volume.volume, pack: pack.reference.name, byteOffset: frame.byteOffset,
                        byteCount: frame.byteCount), firstBlock: 0))
        }
        let zeros = [
            CommittedExtent(blocks: range(0, 10), source: .zero), CommittedExtent(blocks: range(50, 50), source: .zero),
        ]
        #expect(try volume.resolve(range(0, 100)) == [zeros[0]] + expected + [zeros[1]])
        try volume.fold()
        #expect(try volume.resolve(range(0, 100)) == [zeros[0]] + expected + [zeros[1]])
        // Part of a frame.
        guard case .frame(_, let first) = try volume.resolve(range(12, 3))[0].source else {
            Issue.record("not a frame")
            return
        }
        #expect(first == 2)
    }

    @Test func scatteredFramesKeepEachBlocksPlace() throws {
        let volume = MapModelVolume(blockCount: 10_000, seed: 2)
        let pack = try volume.pack([5, 900, 2000, 9000])
        #expect(pack.directory.frames.count == 1)
        for folded in [false, true] {
            if folded { try volume.fold() } else { try volume.map.apply([pack]) }
            for (position, block) in [5, 900, 2000, 9000].enumerated() as EnumeratedSequence<[UInt64]> {
                let extents = try volume.resolve(range(block, 1))
                guard case .frame(_, let first) = extents[0].source else {
                    Issue.record("block \(block) is not in a frame")
                    continue
                }
                #expect(extents.count == 1 && first == position)
            }
        }
    }

    @Test func directoriesAreAppliedInOrderHoweverTheyArrive() throws {
        let volume = MapModelVolume(blockCount: 1000, seed: 3)
        let packs = [try volume.pack([1, 2, 3]), try volume.pack([2], zeroed: [range(3, 1)]), try volume.pack([3])]
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let map = CommittedMap(
                root: ImageRoot(packs: packs.map(\.reference)), volumeByteCount: 1000 * 4096, foldNumber: 0, lineage: 5,
                nodeCacheByteCount: 0)
            for (step, index) in order.enumerated() {
                #expect(map.missingDirectories.count == 3 - step)
                try map.supply(directory: packs[index].directory, of: packs[index].reference)
                try map.supply(directory: packs[index].directory, of: packs[index].reference)
            }
            #expect(map.missingDirectories.isEmpty)
            volume.map = map
            try volume.check(range(0, 10))
            #expect(map.deltaBlockCount == 3 && map.unfoldedPackCount == 3)
        }
    }

    @Test func aCommitWhileDirectoriesAreMissingComesAfterThem() throws {
        let volume = MapModelVolume(blockCount: 1000, seed: 4)
        let old = try volume.pack([1, 2])
        let new = try volume.pack([2, 3])
        let map = CommittedMap(
            root: ImageRoot(packs: [old.reference]), volumeByteCount: 1000 * 4096, foldNumber: 0, lineage: 5,
            nodeCacheByteCount: 0)
        try map.apply([new])
        #expect(map.missingDirectories == [old.reference] && map.deltaBlockCount == 0)
        try map.supply(directory: old.directory, of: old.reference)
        #expect(map.missingDirectories.isEmpty && map.root.packs == [old.reference, new.reference])
        volume.map = map
        try volume.check(range(0, 10))
    }

    @Test func directoriesOfOtherPacksOrBeyondTheEndAreRefused() throws {
        let volume = MapModelVolume(blockCount: 1000, seed: 5)
        let pack = try volume.pack([1, 900])
        let other = try volume.pack([1])
        let map = CommittedMap(
            root: ImageRoot(packs: [pack.reference]), volumeByteCount: 500 * 4096, foldNumber: 0, lineage: 5,
            nodeCacheByteCount: 0)
        #expect(throws: EngineError.self) { try map.supply(directory: other.directory, of: pack.reference) }
        #expect(throws: EngineError.self) { try map.supply(directory: pack.directory, of: pack.reference) }
        #expect(throws: EngineError.self) { try map.apply([pack]) }
        #expect(map.missingDirectories == [pack.reference])
    }

    @Test func nodesFromElsewhereAreNotBelieved() throws {
        let volume = MapModelVolume(blockCount: 1 << 20, seed: 6)
        try volume.fold(adding: [try volume.pack([1, 500_000])])
        try volume.reopen()
        var extents: [CommittedExtent] = []
        let missing = try volume.map.resolve(range(0, 1), into: &extents)
        let pointer = try #require(missing.first)
        let bytes = try volume.node(pointer)
        for index in stride(from: 0, to: bytes.count, by: 7) {
            var damaged = bytes
            damaged[index] ^= 4
            #expect(throws: EngineError.self) { try volume.map.supply(node: damaged, at: pointer) }
        }
        // Whole, but the pack table where the tree should be.
        let root = ImageRoot(tree: volume.map.root.packTable, packTable: volume.map.root.packTable)
        volume.map = CommittedMap(
            root: root, volumeByteCount: 4 << 30, foldNumber: 1, lineage: 5, nodeCacheByteCount: 1 << 20)
        #expect(throws: EngineError.self) { try volume.resolve(range(0, 1)) }
    }

    @Test func aWarmMapAsksForNothing() throws {
        let volume = MapModelVolume(blockCount: 1 << 20, seed: 7, nodeCacheByteCount: 1 << 20)
        try volume.fold(adding: [try volume.pack(Set((0..<100).map { $0 * 9973 }))])
        for block in volume.model.keys { try volume.check(range(block, 1)) }
        let fetched = volume.nodesFetched
        for block in volume.model.keys { try volume.check(range(block, 1)) }
        #expect(volume.nodesFetched == fetched)
        // A fold brings its inner nodes and pages along.
        try volume.fold(adding: [try volume.pack([5])])
        volume.nodesFetched = 0
        try volume.check(range(5, 1))
        #expect(volume.nodesFetched <= 1)
    }

    /// Several commands wait for nodes at once, and there is no room for all of them: each still gets done.
    @Test func lookUpsThatTakeTurnsAllEnd() throws {
        let volume = MapModelVolume(blockCount: 1 << 28, seed: 10, nodeCacheByteCount: 0)
        let blocks = (0..<8).map { UInt64($0) << 25 | 77 }
        try volume.fold(adding: [try volume.pack(Set(blocks))])
        try volume.reopen()
        var waiting = blocks
        for _ in 0..<10 {
            var needed: [NodePointer] = []
            waiting = try waiting.filter { block in
                var extents: [CommittedExtent] = []
                needed += try volume.map.resolve(range(block, 1), into: &extents)
                return extents.isEmpty
            }
            for pointer in needed { try volume.map.supply(node: try volume.node(pointer), at: pointer) }
        }
        #expect(waiting.isEmpty)
    }

    /// A volume made from a snapshot: its root names packs of another volume, and its own come to lie beside them.
    @Test func aCloneReadsItsSourcesPacks() throws {
        let source = MapModelVolume(blockCount: 50_000, seed: 8, volume: VolumeID(rawValue: 1))
        try source.fold(adding: [try source.pack(Set((0..<40).map { $0 * 1111 }))])
        try source.map.apply([try source.pack([1111, 7])])
        let clone = MapModelVolume(blockCount: 60_000, seed: 9, volume: VolumeID(rawValue: 2))
        clone.bucket = source.bucket
        clone.model = source.model
        clone.map = CommittedMap(
            root: source.map.root, volumeByteCount: 60_000 * 4096, foldNumber: 1, lineage: 99,
            nodeCacheByteCount: 20_000)
        clone.foldNumber = 1
        try clone.reopen()
        try clone.check(range(0, 50_000))
        for _ in 0..<10 {
            try clone.map.apply([clone.pack(Set((0..<5).map { _ in clone.randomBlock() }).subtracting([7, 2222]))])
        }
        try clone.fold()
        let walk = try MapTreeWalk(clone)
        walk.check()
        #expect(Set(walk.rows.values.map(\.owner)) == [source.volume, clone.volume])
        try clone.checkExport()
    }
}
