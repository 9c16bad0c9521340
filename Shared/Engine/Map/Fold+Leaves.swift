// SPDX-License-Identifier: Apache-2.0
import Wire

extension Fold {
    private enum Candidate {
        case none
        case leaf(UInt64)
        case missing([NodePointer], next: UInt64)
    }

    /// Works through all leaves that change, until a node is missing, a pack is full, or all are done (nil).
    func foldLeaves() throws(EngineError) -> Step? {
        while true {
            switch try candidate(from: leafCursor, keyCursor: keyCursor) {
            case .none:
                return nil
            case .missing:
                return fetch(try plan())
            case .leaf(let leaf):
                switch try cursor.search(leaf: leaf, node) {
                case .missing:
                    return fetch(try plan())
                case .absent:
                    try fold(leaf: leaf, old: nil)
                case .found(let record, let pointer):
                    guard let old = node(pointer) else { return fetch(try plan()) }
                    try old.expect(MapNode.Place(kind: .leaf, level: 0, index: leaf))
                    try fold(leaf: leaf, old: (record, pointer, old))
                    nodes[pointer] = nil
                }
                leafCursor = leaf + 1
                keyCursor = firstKey(ofLeaf: leafCursor, from: keyCursor)
                if isPackFull { return put() }
                if isTurnOver { return .pause }
            }
        }
    }

    /// The first leaf at or after `start` that may change: one with new data, or an existing one in a zeroed range.
    /// Zeroed ranges where there is nothing cost what the inner nodes above them cost.
    private func candidate(from start: UInt64, keyCursor: Int) throws(EngineError) -> Candidate {
        let keyLeaf = keyCursor < keys.count ? MapGeometry.leaf(of: keys[keyCursor]) : UInt64.max
        let leafLimit = MapGeometry.leaf(of: BlockIndex(blockCount + UInt64(Geometry.blocksPerLeaf) - 1))
        var leaf = start
        while leaf < min(keyLeaf, leafLimit) {
            guard let zeroed = delta.zeros.firstRange(endingAfter: MapGeometry.firstBlock(ofLeaf: leaf)) else { break }
            leaf = max(leaf, MapGeometry.leaf(of: zeroed.start))
            guard leaf < keyLeaf else { break }
            switch try cursor.search(leaf: leaf, node) {
            case .found: return .leaf(leaf)
            case .absent(let next): leaf = next
            case .missing(let needed, let next): return .missing(needed, next: next)
            }
        }
        return keyLeaf == .max ? .none : .leaf(keyLeaf)
    }

    private func firstKey(ofLeaf leaf: UInt64, from start: Int) -> Int {
        guard leaf < 1 << 40 else { return keys.count }
        let block = MapGeometry.firstBlock(ofLeaf: leaf)
        var low = start
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] >= block { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// What the leaves from here on lack, up to a window: many small reads at once instead of one after another.
    private func plan() throws(EngineError) -> [NodePointer] {
        var needed: [NodePointer] = []
        var leaf = leafCursor
        var key = keyCursor
        for _ in 0..<Self.fetchWindow * 4 where needed.count < Self.fetchWindow {
            var missing: [NodePointer] = []
            switch try candidate(from: leaf, keyCursor: key) {
            case .none: return needed
            case .missing(let pointers, let next): (missing, leaf) = (pointers, next)
            case .leaf(let found):
                switch try cursor.search(leaf: found, node) {
                case .missing(let pointers, let next): (missing, leaf) = (pointers, next)
                case .absent: leaf = found + 1
                case .found(_, let pointer):
                    if node(pointer) == nil { missing = [pointer] }
                    leaf = found + 1
                }
            }
            for pointer in missing where !needed.contains(pointer) { needed.append(pointer) }
            key = firstKey(ofLeaf: leaf, from: key)
        }
        return needed
    }

    private func fold(
        leaf: UInt64, old: (record: ChildRecord, pointer: NodePointer, node: MapNode)?
    ) throws(EngineError) {
        merge.begin(with: old.map { LeafNode($0.node) })
        let blocks = MapGeometry.blocks(ofLeaf: leaf)
        for zeroed in delta.zeros.intersections(with: blocks) {
            let start = MapGeometry.blockInLeaf(zeroed.start)
            merge.clear(start..<start + Int(zeroed.count), &liveChanges)
        }
        var key = keyCursor
        while key < keys.count, keys[key] < blocks.end {
            if let slot = delta.blocks[keys[key]] {
                merge.set(
                    MapGeometry.blockInLeaf(keys[key]), to: try place(ofFrame: slot.frame),
                    position: Int(slot.position), birth: foldNumber, &liveChanges)
            }
            key += 1
        }
        guard merge.isChanged else { return }
        if let old { liveChanges.add(-Int64(old.record.byteCount), to: old.record.packIndex) }
        let entries = merge.entries()
        guard !entries.isEmpty else {
            changes.append((leaf, nil))
            statistics.leavesDropped += 1
            return
        }
        let record = try write(
            MapNode.Place(kind: .leaf, level: 0, index: leaf), count: entries.count, words: LeafNode.words(entries),
            liveByteCount: UInt64(merge.blockCount * Geometry.blockByteCount),
            isWorthCaching: old.map { map.peekNode($0.pointer) != nil } ?? false)
        changes.append((leaf, record))
        statistics.leavesWritten += 1
    }

    /// A pack gets its index when the first of its blocks turns out to be needed.
    private func place(ofFrame number: UInt32) throws(EngineError) -> FramePlace {
        let frame = delta.frames[Int(number)]
        if indexOfDeltaPack[Int(frame.pack)] == MapNode.noPackIndex {
            indexOfDeltaPack[Int(frame.pack)] = try allocateIndex()
        }
        return FramePlace(
            packIndex: indexOfDeltaPack[Int(frame.pack)], byteOffset: frame.byteOffset, byteCount: frame.byteCount)
    }
}
