// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

@Suite struct MapFoldTests {
    private func range(_ start: UInt64, _ count: UInt64) -> BlockRange {
        BlockRange(start: BlockIndex(start), count: count)
    }

    @Test func trimmingTwoTebibytesCostsTreeNodes() throws {
        let blockCount: UInt64 = 1 << 29
        let volume = MapModelVolume(blockCount: blockCount, seed: 1, mapPackByteCount: 1 << 20)
        // One block in every 16 GiB, and one before them that stays.
        let writes = Set((0..<128).map { UInt64($0) << 22 | 5 }).union([1])
        try volume.fold(adding: [try volume.pack(writes)])
        #expect(try MapTreeWalk(volume).leafCount == 128)
        try volume.reopen()

        volume.nodesFetched = 0
        let clock = ContinuousClock()
        let trim = try volume.pack([], zeroed: [range(2, blockCount - 2)])
        let duration = try clock.measure { try volume.fold(adding: [trim]) }
        // Root, eight nodes below it, 128 below those, the leaves, the table: each once.
        #expect(volume.nodesFetched <= 1 + 8 + 128 + 128 + 2)
        #expect(volume.lastFold.leavesDropped == 127 && volume.lastFold.leavesWritten == 1)
        #expect(duration < .seconds(5))
        let walk = try MapTreeWalk(volume)
        walk.check()
        #expect(walk.leafCount == 1)
        try volume.check(range(0, 10))
        try volume.check(range(1 << 28, 5000))
    }

    @Test func trimmingTheWholeVolumeReadsNoLeaf() throws {
        let volume = MapModelVolume(blockCount: 1 << 24, seed: 2)
        try volume.fold(adding: [try volume.pack(Set((0..<300).map { $0 * 50_000 }))])
        let before = try MapTreeWalk(volume)
        try volume.reopen()
        volume.nodesFetched = 0
        try volume.fold(adding: [try volume.pack([7], zeroed: [range(0, 7), range(8, (1 << 24) - 8)])])
        #expect(volume.nodesFetched > 300)  // A block is left out: everything is looked at.

        try volume.fold(adding: [try volume.pack(Set((0..<300).map { $0 * 50_000 }))])
        try volume.reopen()
        volume.nodesFetched = 0
        let all = try volume.pack([], zeroed: [range(0, 1 << 24)])
        try volume.fold(adding: [all, try volume.pack([9])])
        #expect(volume.nodesFetched <= 3)
        let walk = try MapTreeWalk(volume)
        walk.check()
        #expect(walk.leafCount == 1 && walk.rows.count == 2 && before.rows.count > 2)
        #expect(volume.lastFold.released.contains { $0.name == all.reference.name })
        try volume.check(range(0, 20))
        try volume.checkExport()
    }

    @Test func trimmingWhatWasNeverWrittenChangesNothing() throws {
        let volume = MapModelVolume(blockCount: 1 << 24, seed: 3)
        try volume.fold(adding: [try volume.pack([], zeroed: [range(0, 1 << 24)])])
        #expect(volume.map.root == ImageRoot() && volume.lastFold.released.count == 1)
        try volume.fold(adding: [try volume.pack([100_000, 9_000_000])])
        let root = volume.map.root
        volume.nodesFetched = 0
        try volume.reopen()
        try volume.fold(adding: [try volume.pack([], zeroed: [range(100_001, 500), range(200_000, 5_000_000)])])
        #expect(volume.map.root == root)
        #expect(volume.lastFold.mapPacksWritten == 0 && volume.lastFold.released.count == 1)
        #expect(volume.nodesFetched < 10)
    }

    @Test func emptyVolumesStayEmpty() throws {
        let volume = MapModelVolume(blockCount: 1000, seed: 4)
        try volume.check(range(0, 1000))
        try volume.checkExport()
        try volume.fold()
        #expect(volume.map.root == ImageRoot())
        try volume.fold(adding: [try volume.pack([1, 2, 3])])
        try volume.fold(adding: [try volume.pack([], zeroed: [range(0, 999)])])
        #expect(volume.map.root.tree == nil && volume.map.root.packTable != nil)
        try volume.checkExport()
        // The next pack gets a new index, although the table is empty.
        try volume.fold(adding: [try volume.pack([999])])
        #expect(try MapTreeWalk(volume).rows.keys.allSatisfy { $0 >= 2 })
        try volume.checkExport()
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func aVolumeThatGrowsGetsLevelsOnTop(seed: UInt64) throws {
        let volume = MapModelVolume(blockCount: 262_144, seed: seed)
        try volume.fold(adding: [try volume.pack([0, 5, 262_143])])
        #expect(try MapTreeWalk(volume).height == 1)
        volume.grow(to: 1 << 33)
        try volume.check(range(262_000, 2000))
        try volume.checkExport()
        // What is written decides which part of the old tree changes: none, some, all of it.
        switch seed {
        case 1: try volume.fold(adding: [try volume.pack([1 << 32])])
        case 2: try volume.fold(adding: [try volume.pack([6, 1 << 30, 1 << 32])])
        default: try volume.fold(adding: [try volume.pack([1 << 27], zeroed: [range(0, 262_144)])])
        }
        let walk = try MapTreeWalk(volume)
        walk.check()
        #expect(walk.height == 3)
        try volume.checkExport()
        try volume.reopen()
        for block in volume.model.keys { try volume.check(range(block, 1)) }
        try volume.check(range(262_000, 2000))
    }

    @Test func aFoldThatIsThrownAwayLeavesEverythingAsItWas() throws {
        let volume = MapModelVolume(blockCount: 100_000, seed: 6)
        try volume.fold(adding: [try volume.pack(Set((0..<50).map { $0 * 1999 }))])
        try volume.map.apply([try volume.pack([3, 4, 5])])
        let root = volume.map.root
        let bucket = volume.bucket
        let abandoned = try Fold(
            of: volume.map, volume: volume.volume, foldNumber: 2, mapPackByteCount: 300,
            nextPackName: volume.newName)
        for _ in 0..<2 {
            switch try abandoned.next() {
            case .fetch(let pointers):
                for pointer in pointers { try abandoned.supply(node: try volume.node(pointer), at: pointer) }
            case .put: abandoned.stored()
            case .pause: break
            case .done: Issue.record("done too early")
            }
        }
        #expect(volume.map.root == root && volume.bucket == bucket)
        try volume.check(range(0, 10_000))
        try volume.fold()
        try MapTreeWalk(volume).check()
        try volume.checkExport()
    }

    @Test func everyMapPackIsWholeAndNamesAreNeverUsedTwice() throws {
        let volume = MapModelVolume(blockCount: 5_000_000, seed: 7, mapPackByteCount: 2000)
        for _ in 0..<10 { try volume.fold(adding: [try volume.randomPack(), try volume.randomPack()], loses: true) }
        try MapTreeWalk(volume).verifyMapPacks()
        try volume.checkExport()
    }

    /// Half a volume written over and over: packs that lost everything leave the table, the others say how much.
    @Test func overwritingReleasesPacks() throws {
        let volume = MapModelVolume(blockCount: 10_000, seed: 8)
        let first = try volume.pack(Set(0..<64))
        try volume.fold(adding: [first])
        let second = try volume.pack(Set(0..<32))
        try volume.fold(adding: [second])
        var rows = try MapTreeWalk(volume).rows.values.filter { $0.kind == .data }.sorted { $0.name < $1.name }
        #expect(rows.map(\.liveByteCount) == [32 * 4096, 32 * 4096])
        #expect(rows.map(\.contentByteCount) == [64 * 4096, 32 * 4096])
        #expect(rows.map(\.birth) == [1, 2])
        try volume.fold(adding: [try volume.pack(Set(30..<64))])
        rows = try MapTreeWalk(volume).rows.values.filter { $0.kind == .data }
        #expect(rows.map(\.liveByteCount).sorted() == [30 * 4096, 34 * 4096])
        #expect(volume.lastFold.released.contains { $0.name == first.reference.name && $0.kind == .data })
        try volume.checkExport()
    }
}
