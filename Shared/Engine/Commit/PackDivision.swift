// SPDX-License-Identifier: Apache-2.0
import Wire

/// Which pack of a commit holds which part of its layer: data in block order, zeroed runs with the first packs. Where
/// the blocks' bytes are is looked up when a pack is begun: a layer may hold millions of blocks, and reads wait
/// meanwhile.
struct PackDivision {
    static let none = PackDivision(blocks: [], zeroRuns: [], packBlockCount: 1, packZeroRunCount: 1, packCount: 0)

    /// With data, ascending.
    private let blocks: [BlockIndex]
    private let zeroRuns: [BlockRange]
    private let packBlockCount: Int
    private let packZeroRunCount: Int
    /// At least one, for a layer.
    let packCount: Int

    init(of layer: DirtyLayer, limits: EngineLimits) {
        let blocks = layer.table.sortedKeys { !$0.isZero }
        var zeroRuns = layer.zeroRanges.ranges.flatMap { $0.removing(blocks) }
        for block in layer.table.sortedKeys(where: \.isZero) where !layer.zeroRanges.contains(block) {
            zeroRuns.appendMerging(BlockRange(start: block, count: 1))
        }
        zeroRuns.sort { $0.start < $1.start }  // Packs state them in order.
        let packCount = max(
            (blocks.count + limits.packBlockCount - 1) / limits.packBlockCount,
            (zeroRuns.count + limits.packZeroRunCount - 1) / limits.packZeroRunCount, 1)
        self.init(
            blocks: blocks, zeroRuns: zeroRuns, packBlockCount: limits.packBlockCount,
            packZeroRunCount: limits.packZeroRunCount, packCount: packCount)
    }

    private init(
        blocks: [BlockIndex], zeroRuns: [BlockRange], packBlockCount: Int, packZeroRunCount: Int, packCount: Int
    ) {
        self.blocks = blocks
        self.zeroRuns = zeroRuns
        self.packBlockCount = packBlockCount
        self.packZeroRunCount = packZeroRunCount
        self.packCount = packCount
    }

    /// - Parameter layer: the one that was divided; nothing changes it once it is frozen.
    func build(_ index: Int, from layer: DirtyLayer) -> PackBuild {
        PackBuild(
            index: index,
            blocks: part(index, of: blocks, packBlockCount).map { block in
                guard let entry = layer.table[block] else { preconditionFailure("a frozen layer has lost a block") }
                return (block, entry)
            },
            zeroRuns: Array(part(index, of: zeroRuns, packZeroRunCount)))
    }

    private func part<Element>(_ index: Int, of elements: [Element], _ count: Int) -> ArraySlice<Element> {
        elements[(index * count..<(index + 1) * count).clamped(to: elements.indices)]
    }
}

extension BlockRange {
    /// What is left of the range without these blocks (ascending, not all inside).
    fileprivate func removing(_ blocks: [BlockIndex]) -> [BlockRange] {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle] < start { low = middle + 1 } else { high = middle }
        }
        var rest: [BlockRange] = []
        var position = start
        while low < blocks.count, blocks[low] < end {
            if blocks[low] > position { rest.append(BlockRange(position, upTo: blocks[low])) }
            position = blocks[low].advanced(by: 1)
            low += 1
        }
        if position < end { rest.append(BlockRange(position, upTo: end)) }
        return rest
    }
}

extension [BlockRange] {
    mutating func appendMerging(_ range: BlockRange) {
        if let last = self.last, last.end == range.start {
            self[count - 1].count += range.count
        } else {
            append(range)
        }
    }
}
