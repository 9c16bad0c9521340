// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

/// Random commits, trims and folds with tiny map packs and a tiny cache, held against a dictionary.
@Suite struct MapPropertyTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func theMapIsTheDictionary(seed: UInt64) throws {
        // One level, two levels, and sizes that are no multiple of a leaf.
        let blockCount: UInt64 = [5000, 262_144, 262_145, 1 << 20, 3_000_000, 70_000_000][Int(seed) - 1]
        let volume = MapModelVolume(blockCount: blockCount, seed: seed)
        for step in 0..<60 {
            let packs = try (0..<volume.random.below(3) + 1).map { _ in try volume.randomPack() }
            switch volume.random.below(8) {
            case 0: try volume.fold(adding: packs, loses: true)
            case 3: try commitBesideAFold(volume, packs)
            case 1:
                try volume.map.apply(packs)
                try volume.fold()
            case 2:
                try volume.map.apply(packs)
                try volume.reopen()
            default: try volume.map.apply(packs)
            }
            for _ in 0..<4 { try volume.check(volume.randomRange(longest: 200)) }
            if step % 12 == 11 {
                let walk = try MapTreeWalk(volume)
                walk.check()
                try volume.checkExport(cacheByteCount: step % 24 == 11 ? 0 : 1 << 20)
            }
        }
        try volume.fold()
        #expect(volume.map.root.packs.isEmpty && volume.map.deltaBlockCount == 0)
        try MapTreeWalk(volume).check()
        try volume.checkExport()
        for block in volume.model.keys.sorted().prefix(200) {
            try volume.check(BlockRange(start: BlockIndex(block), count: 1))
        }
    }

    /// What is committed while a fold runs is in the index afterwards, above what was folded.
    private func commitBesideAFold(_ volume: MapModelVolume, _ packs: [StoredPack]) throws {
        var added = 0
        try volume.fold(adding: packs) {
            guard added < 3, volume.random.oneIn(2) else { return }
            added += 1
            try volume.map.apply([try volume.randomPack()])
            try volume.check(volume.randomRange(longest: 200))
        }
        #expect(volume.map.root.packs.count == added)
    }

    /// What a fold says is no longer named is exactly what was named before and is not after.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func foldsReleaseWhatTheNewRootDoesNotName(seed: UInt64) throws {
        let volume = MapModelVolume(blockCount: 300_000, seed: 100 + seed)
        for _ in 0..<25 {
            let before = try namedPacks(volume)
            let packs = try (0..<volume.random.below(3) + 1).map { _ in try volume.randomPack() }
            try volume.fold(adding: packs)
            let after = try namedPacks(volume)
            let released = volume.lastFold.released.map { PackIdentity(volume: $0.owner, name: $0.name) }
            #expect(Set(released).count == released.count)
            let gone = before.union(packs.map { PackIdentity(volume: volume.volume, name: $0.reference.name) })
                .subtracting(after)
            #expect(Set(released) == gone)
        }
    }

    private func namedPacks(_ volume: MapModelVolume) throws -> Set<PackIdentity> {
        Set(try MapTreeWalk(volume).rows.values.map { PackIdentity(volume: $0.owner, name: $0.name) })
            .union(try MapTreeWalk(volume).tablePacks)
    }
}
