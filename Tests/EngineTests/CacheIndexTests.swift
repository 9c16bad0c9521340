// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Engine  // The table is of no use outside the cache.

struct CacheIndexTests {
    private func location(_ random: inout SeededRandom) -> CacheLocation {
        CacheLocation(
            region: random.below(CacheIndex.largestRegionNumber + 1), byteOffset: random.below(1 << 19) * 64,
            byteCount: (1 + random.below(1100)) * 64)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithADictionary(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // Small and nearly full, so that entries crowd and wrap around its end.
        var index = CacheIndex(limit: 90)
        var model: [UInt64: (location: CacheLocation, uses: Int)] = [:]
        for _ in 0..<20_000 {
            let known = model.keys.sorted()
            switch random.below(10) {
            case 0..<5:
                let hash = known.isEmpty || random.oneIn(3) ? random.next() : known[random.below(known.count)]
                guard !index.isFull || model[hash] != nil else { continue }
                let entry = (location(&random), random.below(4))
                index.insert(hash, at: entry.0, uses: entry.1)
                model[hash] = entry
            case 5..<9:
                guard !known.isEmpty else { continue }
                let hash = known[random.below(known.count)]
                guard let entry = model[hash] else { continue }
                var elsewhere = entry.location
                elsewhere.region ^= 1
                let removed = (index.remove(hash, at: elsewhere), index.remove(hash, at: entry.location))
                #expect(removed == (false, true), "seed \(seed)")
                model[hash] = nil
            default:
                let regions = Set(model.values.map(\.location.region).filter { $0 % 3 == 0 })
                index.removeAll(in: regions)
                model = model.filter { !regions.contains($0.value.location.region) }
            }
            #expect(index.count == model.count, "seed \(seed)")
            for (hash, entry) in model where random.oneIn(20) {
                #expect(index.location(of: hash) == entry.location, "seed \(seed)")
                #expect(index.uses(of: hash, at: entry.location) == entry.uses, "seed \(seed)")
            }
        }
        #expect(index.location(of: random.next()) == nil)
    }

    @Test func countersStayWithinTheirBits() {
        var index = CacheIndex(limit: 10)
        let place = CacheLocation(region: 7, byteOffset: 640, byteCount: 128)
        index.insert(42 << 30, at: place, uses: 9)
        #expect(index.uses(of: 42 << 30, at: place) == 3)
        index.setUses(-1, of: 42 << 30, at: place)
        #expect(index.uses(of: 42 << 30, at: place) == 0)
        #expect(index.location(of: 42 << 30) == place)
    }

    @Test func aFrameCostsSixteenBytes() {
        let index = CacheIndex(limit: 3_000_000)
        #expect(Double(index.byteCount) / 3_000_000 <= 16.01)
    }

    @Test func ghostsAreForgottenWhenTheyAreAskedForAndWhenTheyAreOld() {
        var ghosts = GhostSet(count: 1000)
        var random = SeededRandom(seed: 5)
        let hash = random.next()
        ghosts.insert(hash)
        let found = (ghosts.remove(hash), ghosts.remove(hash))
        #expect(found == (true, false))
        let old = (0..<500).map { _ in random.next() }
        for hash in old { ghosts.insert(hash) }
        for _ in 0..<10_000 { ghosts.insert(random.next()) }
        let remembered = old.filter { ghosts.remove($0) }.count
        #expect(remembered < 5)
    }
}
