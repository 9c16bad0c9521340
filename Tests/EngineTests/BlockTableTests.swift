// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

@Suite struct BlockTableTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithADictionary(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = BlockTable<Int32>()
        var model: [UInt64: Int32] = [:]
        let span: UInt64 = seed == 1 ? 40 : 3000
        for _ in 0..<6000 {
            let block = UInt64.random(in: 0..<span, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<11:
                let value = Int32.random(in: .min ... .max, using: &random)
                table[BlockIndex(block)] = value
                model[block] = value
            case 11..<18:
                #expect(table.remove(BlockIndex(block)) == (model.removeValue(forKey: block) != nil))
            case 18:
                let length = UInt64.random(in: 0..<30, using: &random)
                table.removeAll(in: BlockRange(start: BlockIndex(block), count: length))
                model = model.filter { $0.key < block || $0.key >= block + length }
            default:
                guard random.oneIn(10) else { break }
                table.removeAll(in: BlockRange(start: BlockIndex(block), count: 1 << 40))
                model = model.filter { $0.key < block }
            }
            #expect(table.count == model.count)
            #expect(table[BlockIndex(block)] == model[block])
        }
        #expect(table.sortedKeys().map(\.rawValue) == model.keys.sorted())
        var seen: [UInt64: Int32] = [:]
        table.forEach { seen[$0.rawValue] = $1 }
        #expect(seen == model)
        for block in 0..<span { #expect(table[BlockIndex(block)] == model[block]) }
    }

    /// Slot by slot into a table that had to grow, a hundred thousand blocks took minutes.
    @Test(.timeLimit(.minutes(1))) func aTableIsPutIntoAnotherInTimeThatGrowsWithIt() {
        var source = BlockTable<UInt32>()
        for block in 0..<400_000 as Range<UInt64> { source[BlockIndex(block &* 7919)] = UInt32(block) }
        var target = BlockTable<UInt32>()
        target[BlockIndex(1 << 40)] = 1
        target.reserveCapacity(target.count + source.count)
        source.forEach { target[$0] = $1 }
        #expect(target.count == 400_001 && target[BlockIndex(7919 * 5)] == 5 && target[BlockIndex(1 << 40)] == 1)
    }

    @Test func aSweepKeepsTheTableNearTheSizeOfWhatIsNotObsolete() {
        var random = SeededRandom(seed: 5)
        var table = BlockTable<UInt32>()
        var model: [UInt64: UInt32] = [:]
        let lifetime: UInt32 = 1000
        for step in 0..<30_000 as Range<UInt32> {
            let block = UInt64.random(in: 0..<1 << 30, using: &random)
            table[BlockIndex(block)] = step
            model[block] = step
            table.sweep(slotCount: 6) { $0 + lifetime < step }
            #expect(table.count <= 2 * Int(lifetime) + 16)
        }
        for (block, step) in model where step + lifetime >= 29_999 { #expect(table[BlockIndex(block)] == step) }
        table.sweep(slotCount: .max) { _ in true }
        table.sweep(slotCount: .max) { _ in true }
        #expect(table.isEmpty)
    }

    @Test func anEmptyTableAnswersNothing() {
        var table = BlockTable<UInt8>(minimumCapacity: 1000)
        #expect(table.isEmpty && table[BlockIndex(0)] == nil && table.sortedKeys().isEmpty)
        table.removeAll(in: BlockRange(start: BlockIndex(0), count: 10))
        table[BlockIndex(7)] = 1
        #expect(table.byteCount >= 1000 * 9)
        table[BlockIndex(7)] = nil
        #expect(table.isEmpty)
    }

    @Test func trimmingEverythingEmptiesTheTable() {
        var table = BlockTable<UInt8>()
        for block in 0..<100 as Range<UInt64> { table[BlockIndex(block * 1000)] = 1 }
        table.removeAll(in: BlockRange(start: BlockIndex(0), count: 1 << 34))
        #expect(table.isEmpty)
    }
}
