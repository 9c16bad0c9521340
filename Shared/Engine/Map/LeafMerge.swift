// SPDX-License-Identifier: Apache-2.0
import Wire

/// One leaf taken apart into its blocks, changed, and put together again. Reused from leaf to leaf.
struct LeafMerge {
    private struct Cell: BitwiseCopyable {
        var place: UInt64
        var birth: UInt64
        /// In the frame; vacant blocks have none.
        var position: Int8
        static let vacant = Cell(place: 0, birth: 0, position: -1)
    }

    private var cells = [Cell](repeating: .vacant, count: Geometry.blocksPerLeaf)
    private(set) var isChanged = false
    private(set) var blockCount = 0

    /// - Parameter leaf: nil: nothing is there yet.
    mutating func begin(with leaf: LeafNode?) {
        for index in cells.indices { cells[index] = .vacant }
        isChanged = false
        blockCount = 0
        guard let leaf else { return }
        for index in 0..<leaf.count {
            let entry = leaf.entry(index)
            for step in 0..<entry.count {
                cells[entry.blockInLeaf + step] = Cell(
                    place: entry.word1, birth: entry.birth, position: Int8(entry.firstInFrame + step))
            }
            blockCount += entry.count
        }
    }

    mutating func clear(_ blocksInLeaf: Range<Int>, _ changes: inout LiveChanges) {
        for block in blocksInLeaf where cells[block].position >= 0 {
            changes.add(-Int64(Geometry.blockByteCount), to: FramePlace(word: cells[block].place).packIndex)
            cells[block] = .vacant
            blockCount -= 1
            isChanged = true
        }
    }

    mutating func set(
        _ blockInLeaf: Int, to place: FramePlace, position: Int, birth: UInt64, _ changes: inout LiveChanges
    ) {
        clear(blockInLeaf..<blockInLeaf + 1, &changes)
        changes.add(Int64(Geometry.blockByteCount), to: place.packIndex)
        cells[blockInLeaf] = Cell(place: place.word, birth: birth, position: Int8(position))
        blockCount += 1
        isChanged = true
    }

    /// Blocks that follow each other in leaf and frame and were born together become one entry.
    func entries() -> [MapEntry] {
        var entries: [MapEntry] = []
        var block = 0
        while block < cells.count {
            let first = cells[block]
            guard first.position >= 0 else {
                block += 1
                continue
            }
            var end = block + 1
            while end < cells.count, cells[end].place == first.place, cells[end].birth == first.birth,
                Int(cells[end].position) == Int(first.position) + end - block
            { end += 1 }
            entries.append(
                MapEntry(
                    blockInLeaf: block, count: end - block, firstInFrame: Int(first.position), birth: first.birth,
                    place: FramePlace(word: first.place)))
            block = end
        }
        return entries
    }
}

/// Live bytes gained and lost, by pack index. Neighbouring blocks are mostly of one pack, so the last one is kept
/// beside the table.
struct LiveChanges {
    private var table: [UInt32: Int64] = [:]
    private var lastIndex: UInt32 = 0
    private var lastSum: Int64 = 0

    mutating func add(_ byteCount: Int64, to packIndex: UInt32) {
        if packIndex != lastIndex {
            settle()
            lastIndex = packIndex
        }
        lastSum += byteCount
    }

    private mutating func settle() {
        if lastSum != 0 { table[lastIndex, default: 0] += lastSum }
        lastSum = 0
    }

    /// Everything so far.
    mutating func total() -> [UInt32: Int64] {
        settle()
        return table
    }
}
