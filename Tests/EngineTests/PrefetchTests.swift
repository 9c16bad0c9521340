// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // Inside the volume only.

struct PrefetchTests {
    private let limits = EngineLimits()

    /// So that expectations can ask it.
    private final class Reader {
        private var prefetch = Prefetch()
        func note(_ blocks: BlockRange) -> BlockRange? { prefetch.note(blocks, limits: EngineLimits()) }
    }

    private func blocks(_ start: UInt64, _ count: UInt64) -> BlockRange {
        BlockRange(start: BlockIndex(start), count: count)
    }

    @Test func beginsAtTheSecondSequentialHitAndDoubles() {
        let prefetch = Reader()
        #expect(prefetch.note(blocks(100, 8)) == nil)
        #expect(prefetch.note(blocks(108, 8)) == nil)
        #expect(prefetch.note(blocks(116, 8)) == blocks(124, 32))
        #expect(prefetch.note(blocks(124, 8)) == nil)
        // When half of it is behind the reader, it is fetched up to twice as far ahead.
        #expect(prefetch.note(blocks(132, 8)) == blocks(156, 48))
        #expect(prefetch.note(blocks(140, 8)) == nil)
        var next: UInt64 = 148
        var farthest: UInt64 = 0
        for _ in 0..<4000 {
            let ahead = prefetch.note(blocks(next, 8))
            next += 8
            if let ahead { farthest = max(farthest, ahead.end.rawValue - next) }
        }
        #expect(farthest == limits.prefetchBlockCount)
    }

    @Test func everythingAheadIsFetchedOnceAndNeverTooFar() {
        let prefetch = Reader()
        var fetched = BlockIndex(0)
        for number in 0..<5000 as Range<UInt64> {
            guard let ahead = prefetch.note(blocks(number * 4, 4)) else { continue }
            #expect(ahead.start == fetched || fetched == BlockIndex(0) || ahead.start.rawValue == number * 4 + 4)
            #expect(ahead.end.rawValue <= number * 4 + 4 + limits.prefetchBlockCount)
            fetched = ahead.end
        }
        #expect(fetched.rawValue > 20_000)
    }

    @Test func fourReadersAreFollowedAtOnce() {
        let prefetch = Reader()
        var started: Set<UInt64> = []
        for step in 0..<6 as Range<UInt64> {
            for reader in 0..<4 as Range<UInt64> {
                let range = blocks(reader * 100_000 + step * 16, 16)
                if prefetch.note(range) != nil { started.insert(reader) }
            }
        }
        #expect(started.count == 4)
    }

    @Test func randomReadsFetchNothing() {
        let prefetch = Reader()
        var random = SeededRandom(seed: 9)
        for _ in 0..<20_000 {
            #expect(prefetch.note(blocks(UInt64(random.below(1 << 28)), 1)) == nil)
        }
    }

    @Test func readsOfPartsOfABlockAreSequentialToo() {
        let prefetch = Reader()
        var isFetching = false
        for sector in 0..<80 as Range<UInt64> {
            if prefetch.note(blocks(sector / 8, 1)) != nil { isFetching = true }
        }
        #expect(isFetching)
    }
}
