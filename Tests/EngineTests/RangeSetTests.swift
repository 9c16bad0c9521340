// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

@Suite struct RangeSetTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func agreesWithASetOfBlocks(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var set = RangeSet()
        let span: UInt64 = [200, 3000, 6000][Int(seed) - 1]
        let longest: UInt64 = [20, 3, 2][Int(seed) - 1]
        var model = [Bool](repeating: false, count: Int(span))
        for step in 0..<4000 {
            let start = UInt64.random(in: 0..<span, using: &random)
            let count = min(UInt64.random(in: 0...(random.oneIn(500) ? span : longest), using: &random), span - start)
            let range = BlockRange(start: BlockIndex(start), count: count)
            let inserts = Int.random(in: 0..<5, using: &random) > 1
            if inserts { set.insert(range) } else { set.remove(range) }
            for block in start..<start + count { model[Int(block)] = inserts }
            let probe = UInt64.random(in: 0..<span, using: &random)
            #expect(set.contains(BlockIndex(probe)) == model[Int(probe)])
            if step % 200 == 0 { check(set, model, &random) }
        }
        check(set, model, &random)
    }

    private func check(_ set: RangeSet, _ model: [Bool], _ random: inout SeededRandom) {
        let expected = runs(model, 0..<model.count)
        #expect(set.ranges == expected)
        #expect(set.count == expected.count)
        #expect(set.blockCount == expected.reduce(0) { $0 + $1.count })
        let low = Int.random(in: 0..<model.count, using: &random)
        let high = Int.random(in: low..<model.count, using: &random)
        let window = BlockRange(BlockIndex(UInt64(low)), upTo: BlockIndex(UInt64(high)))
        #expect(set.intersections(with: window) == runs(model, low..<high))
        #expect(set.contains(window) == model[low..<high].allSatisfy { $0 })
        let next = set.firstRange(endingAfter: BlockIndex(UInt64(low)))
        #expect(next == expected.first { $0.end.rawValue > UInt64(low) })
    }

    private func runs(_ model: [Bool], _ window: Range<Int>) -> [BlockRange] {
        var result: [BlockRange] = []
        var block = window.lowerBound
        while block < window.upperBound {
            var end = block
            while end < window.upperBound && model[end] { end += 1 }
            if end > block { result.append(BlockRange(start: BlockIndex(UInt64(block)), count: UInt64(end - block))) }
            block = max(end, block + 1)
        }
        return result
    }

    @Test func touchingRangesBecomeOne() {
        var set = RangeSet()
        set.insert(BlockRange(start: BlockIndex(10), count: 5))
        set.insert(BlockRange(start: BlockIndex(20), count: 5))
        set.insert(BlockRange(start: BlockIndex(15), count: 5))
        #expect(set.ranges == [BlockRange(start: BlockIndex(10), count: 15)])
    }
}
