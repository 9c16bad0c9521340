// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // Inside the volume only.

struct FrameCacheTests {
    private func frame(_ number: Int) -> FrameReference { CacheHarness.frame(number, blockCount: 1) }

    private func read(_ number: Int, _ cache: inout FrameCache) -> Bool {
        if cache.contents(of: frame(number)) != nil { return true }
        cache.insert(CacheHarness.contents(of: frame(number)), of: frame(number))
        return false
    }

    @Test func aScanLeavesWhatIsReadAgainAndAgain() {
        var cache = FrameCache(byteCount: 400 * 4096)
        var random = SeededRandom(seed: 3)
        for _ in 0..<4000 { _ = read(random.below(150), &cache) }
        // Each frame of the scan is read a few times in a row, as reads smaller than a frame do.
        for number in 1000..<5000 {
            for _ in 0..<4 { _ = read(number, &cache) }
            _ = read(random.below(150), &cache)
        }
        let hits = (0..<1000).filter { _ in read(random.below(150), &cache) }.count
        #expect(hits > 900)
    }

    @Test func staysWithinItsBudgetAndForgetsWhatIsNotReadAnyMore() {
        var cache = FrameCache(byteCount: 100 * 4096)
        for _ in 0..<10 { for number in 0..<40 { _ = read(number, &cache) } }
        for number in 1000..<2000 { _ = read(number, &cache) }
        #expect((0..<2000).filter { cache.holds(frame($0)) }.count <= 100)
        #expect((0..<40).filter { cache.holds(frame($0)) }.isEmpty)
    }
}
