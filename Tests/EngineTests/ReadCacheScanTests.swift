// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // To count what the cache's own tables cost.

/// What the order of recycling is for.
struct ReadCacheScanTests {
    private static let regionCount = 64
    private static let framesPerRegion = 3

    /// Percent of these reads that the cache answered.
    private func hitPercent(_ harness: CacheHarness, _ numbers: [Int], blockCount: Int) -> Double {
        let before = harness.fetchCount
        for number in numbers { #expect(harness.read(CacheHarness.frame(number, blockCount: blockCount)) != nil) }
        return 100 * (1 - Double(harness.fetchCount - before) / Double(numbers.count))
    }

    @Test func aScanOfTenTimesTheCacheLeavesTheHotSet() {
        let harness = CacheHarness(regionLimits: [Self.regionCount])
        var random = SeededRandom(seed: 1)
        let cached = Self.regionCount * Self.framesPerRegion
        let hotCount = cached / 3
        func someHot(_ count: Int) -> [Int] { (0..<count).map { _ in random.below(hotCount) } }
        _ = hitPercent(harness, someHot(hotCount * 8), blockCount: 16)
        let before = hitPercent(harness, someHot(hotCount * 4), blockCount: 16)
        #expect(before > 99)
        let scanned = hitPercent(harness, Array(10_000..<10_000 + 10 * cached), blockCount: 16)
        #expect(scanned < 1)
        let after = hitPercent(harness, someHot(hotCount * 4), blockCount: 16)
        print("hot set's hit rate: \(before) % before the scan, \(after) % after it")
        #expect(before - after < 5)
        // Each frame of the scan was written once; what was carried over is little against that.
        let statistics = harness.cache.statistics
        #expect(statistics.carriedByteCount * 10 < statistics.storedByteCount)
    }

    @Test func theHotSetStaysWhileItIsReadDuringTheScan() {
        let harness = CacheHarness(regionLimits: [Self.regionCount])
        var random = SeededRandom(seed: 2)
        let cached = Self.regionCount * Self.framesPerRegion
        let hotCount = cached / 2
        for _ in 0..<hotCount * 8 { _ = harness.read(CacheHarness.frame(random.below(hotCount))) }
        var misses = 0
        for number in 0..<10 * cached {
            _ = harness.read(CacheHarness.frame(10_000 + number))
            if harness.read(CacheHarness.frame(random.below(hotCount))) != .cache { misses += 1 }
        }
        let percent = 100 - 100 * Double(misses) / Double(10 * cached)
        print("hot set's hit rate during the scan: \(percent) %")
        #expect(percent > 95)
    }

    @Test func whatComesBackSoonIsKept() {
        let harness = CacheHarness(regionLimits: [Self.regionCount])
        let cached = Self.regionCount * Self.framesPerRegion
        for number in 0..<cached + 40 { _ = harness.read(CacheHarness.frame(number)) }
        // Gone, but not forgotten: it goes where no scan comes.
        #expect(harness.read(CacheHarness.frame(0)) == .bucket)
        for number in 10_000..<10_000 + 3 * cached { _ = harness.read(CacheHarness.frame(number)) }
        #expect(harness.read(CacheHarness.frame(0)) == .cache)
    }

    /// The frames that random writes leave, up to four scattered blocks, and contiguous ones.
    @Test(arguments: [[1], [1, 2, 3, 4], [1, 2, 3, 4, 16], [16]])
    func theIndexStaysWithinItsBudget(mix: [Int]) {
        var limits = CacheHarness.limits()
        limits.indexByteCount = 24_000
        let harness = CacheHarness(limits: limits, regionLimits: [400])
        let regionsByFrame = 400 * (256 << 10) / (mix.reduce(0) { $0 + $1 * 4110 + 64 } / mix.count)
        for number in 0..<min(3 * 1200, regionsByFrame) {
            _ = harness.read(CacheHarness.frame(number, blockCount: mix[number % mix.count]))
        }
        let statistics = harness.cache.statistics
        #expect(statistics.indexByteCount <= 24_100)
        let limit = 24_000 / ReadCache.indexByteCountPerFrame
        #expect(statistics.frameCount <= limit && statistics.frameCount > limit * 3 / 4)
        #expect(harness.reports.contains { if case .indexFull = $0 { true } else { false } })
        // Everything that grows with the number of frames: index, ghosts, and the regions they lie in.
        let regions = harness.cache.regions.filter { $0.usedByteCount > 0 }.count * MemoryLayout<CacheRegion>.stride
        let framesPerRealRegion = Double(16 << 20) / Double(harness.limits.regionByteCount)
        let perFrame =
            Double(statistics.indexByteCount) / Double(limit)
            + Double(regions) / Double(statistics.frameCount) / framesPerRealRegion
        print("frames of \(mix) blocks: \(perFrame) bytes a frame in the index at its limit")
        #expect(perFrame <= 24)
    }
}
