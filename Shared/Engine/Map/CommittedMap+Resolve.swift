// SPDX-License-Identifier: Apache-2.0
package import Wire

extension CommittedMap {
    /// Appends the extents that cover `range`, in order, and answers an empty list; or answers the nodes to fetch and
    /// supply before asking again, and then what was appended is of no use.
    ///
    /// All directories must be there.
    package func resolve(
        _ range: BlockRange, into extents: inout [CommittedExtent]
    ) throws(EngineError) -> [NodePointer] {
        precondition(missingDirectories.isEmpty, "directories are missing")
        precondition(range.count <= blockCount && range.start.rawValue <= blockCount - range.count)
        beginUse()
        var resolver = Resolver(map: self, extents: extents)
        extents = []  // One owner while it grows.
        try resolver.resolve(range, in: delta, above: folding)
        extents = resolver.extents
        return resolver.missing
    }
}

/// One look-up: in each index, newest first, its blocks, then its zeroed ranges; then the tree.
private struct Resolver {
    let map: CommittedMap
    let cursor: TreeCursor
    var extents: [CommittedExtent]
    var missing: [NodePointer] = []
    /// The row asked for last: neighbouring entries are mostly of one pack.
    private var lastRow: (index: UInt32, row: PackTableRow)?

    init(map: CommittedMap, extents: [CommittedExtent]) {
        self.map = map
        cursor = map.cursor
        self.extents = extents
    }

    mutating func resolve(
        _ range: BlockRange, in delta: DeltaIndex, above older: DeltaIndex?
    ) throws(EngineError) {
        var block = range.start
        while block < range.end {
            guard let slot = delta.blocks[block] else {
                let end = nextBlock(in: delta, after: block, before: range.end)
                try resolveGap(BlockRange(block, upTo: end), in: delta, above: older)
                block = end
                continue
            }
            extents.append(
                run: BlockRange(start: block, count: 1),
                .frame(delta.reference(toFrame: slot.frame), firstBlock: Int(slot.position)))
            block = block.advanced(by: 1)
        }
    }

    private func nextBlock(in delta: DeltaIndex, after block: BlockIndex, before end: BlockIndex) -> BlockIndex {
        guard !delta.blocks.isEmpty else { return end }
        var next = block.advanced(by: 1)
        while next < end, delta.blocks[next] == nil { next = next.advanced(by: 1) }
        return next
    }

    /// Blocks without data in the index.
    private mutating func resolveGap(
        _ range: BlockRange, in delta: DeltaIndex, above older: DeltaIndex?
    ) throws(EngineError) {
        var block = range.start
        for zeroed in delta.zeros.intersections(with: range) {
            try resolveBelow(BlockRange(block, upTo: zeroed.start), older)
            extents.append(run: zeroed, .zero)
            block = zeroed.end
        }
        try resolveBelow(BlockRange(block, upTo: range.end), older)
    }

    private mutating func resolveBelow(_ range: BlockRange, _ older: DeltaIndex?) throws(EngineError) {
        guard !range.isEmpty else { return }
        if let older { try resolve(range, in: older, above: nil) } else { try resolveInTree(range) }
    }

    private mutating func resolveInTree(_ range: BlockRange) throws(EngineError) {
        var block = range.start
        while block < range.end {
            let leaf = MapGeometry.leaf(of: block)
            switch try cursor.search(leaf: leaf, map.cachedNode) {
            case .absent(let next):
                let end = min(range.end, Self.firstBlock(ofLeaf: next))
                extents.append(run: BlockRange(block, upTo: end), .zero)
                block = end
            case .missing(let pointers, let next):
                for pointer in pointers { lack(pointer) }
                block = min(range.end, Self.firstBlock(ofLeaf: next))
            case .found(_, let pointer):
                let part = range.intersection(MapGeometry.blocks(ofLeaf: leaf))
                if let node = map.cachedNode(pointer) {
                    try node.expect(MapNode.Place(kind: .leaf, level: 0, index: leaf))
                    try resolve(part, in: LeafNode(node), of: leaf)
                } else {
                    lack(pointer)
                }
                block = part.end
            }
        }
    }

    private static func firstBlock(ofLeaf leaf: UInt64) -> BlockIndex {
        // `.max` stands for "never"; no volume has so many leaves.
        leaf < 1 << 40 ? MapGeometry.firstBlock(ofLeaf: leaf) : BlockIndex(.max)
    }

    /// - Parameter range: within the leaf.
    private mutating func resolve(_ range: BlockRange, in leaf: LeafNode, of leafIndex: UInt64) throws(EngineError) {
        let base = MapGeometry.firstBlock(ofLeaf: leafIndex)
        var block = range.start
        var index = leaf.firstEntry(endingAfter: Int(block.rawValue - base.rawValue))
        while block < range.end {
            guard index < leaf.count else { break }
            let entry = leaf.entry(index)
            let start = base.advanced(by: UInt64(entry.blockInLeaf))
            if start >= range.end { break }
            if start > block {
                extents.append(run: BlockRange(block, upTo: start), .zero)
                block = start
            }
            let end = min(range.end, base.advanced(by: UInt64(entry.endInLeaf)))
            if let row = try row(entry.place.packIndex) {
                guard row.kind == .data else { throw .malformed(.mapNode, reason: "an entry of a map pack") }
                let frame = FrameReference(
                    owner: row.owner, pack: row.name, byteOffset: entry.place.byteOffset,
                    byteCount: entry.place.byteCount)
                let first = entry.firstInFrame + Int(block.rawValue - start.rawValue)
                extents.append(run: BlockRange(block, upTo: end), .frame(frame, firstBlock: first))
            }
            block = end
            index += 1
        }
        extents.append(run: BlockRange(block, upTo: range.end), .zero)
    }

    private mutating func row(_ index: UInt32) throws(EngineError) -> PackTableRow? {
        if let lastRow, lastRow.index == index { return lastRow.row }
        switch try cursor.row(index, map.cachedNode) {
        case .found(let row):
            lastRow = (index, row)
            return row
        case .missing(let pointer):
            lack(pointer)
            return nil
        }
    }

    private mutating func lack(_ pointer: NodePointer) {
        if !missing.contains(pointer) { missing.append(pointer) }
    }
}
