// SPDX-License-Identifier: Apache-2.0
import Wire

/// Walks a volume's blocks upwards and says which are stored anywhere, until a limit is met or a map node is missing.
/// A value for one such stretch: it holds copies of the layers.
struct ProvisioningScan {
    /// What lies over the tree: changes in the journal, or packs since the last fold.
    enum Layer {
        case dirty(DirtyLayer)
        case delta(DeltaIndex)
    }

    /// How far ahead nodes are asked for at once.
    private static let nodesAtOnce = 8
    private static let leavesAhead = 64
    /// Slots of a table that are passed over in about the time that a leaf takes.
    private static let slotsPerStep = 32_768

    /// Oldest first.
    let layers: [Layer]
    let map: CommittedMap
    let end: BlockIndex

    private(set) var position: BlockIndex
    /// What was found, neighbours of one kind joined.
    private(set) var runs: [(blocks: BlockRange, isMapped: Bool)]
    let runLimit: Int
    private(set) var stepsLeft: Int

    /// No table has a block from `position` up to here.
    private var quietEnd = BlockIndex(0)
    private var wasQuiet: Bool

    init(_ query: ProvisioningQuery, layers: [Layer], map: CommittedMap, end: BlockIndex) {
        self.layers = layers
        self.map = map
        self.end = end
        position = query.position
        runs = query.runs
        runLimit = query.runLimit
        stepsLeft = query.stepsLeft
        wasQuiet = layers.allSatisfy { $0.slotCount <= Self.slotsPerStep }
    }

    /// One run more than wanted: the last that is wanted is whole then.
    var isDone: Bool { runs.count > runLimit || position >= end || (stepsLeft <= 0 && !runs.isEmpty) }

    /// - Returns: the nodes without which it cannot go on; empty when it is done.
    mutating func advance() throws(EngineError) -> [NodePointer] {
        map.beginUse()
        while !isDone {
            if position >= quietEnd, wasQuiet { findQuietEnd() }
            let missing = position < quietEnd ? try passQuietRun() : try passLeaf()
            if !missing.isEmpty { return try missing + nodesAhead(besides: missing) }
        }
        return []
    }

    private mutating func append(upTo end: BlockIndex, isMapped: Bool) {
        let blocks = BlockRange(position, upTo: end)
        guard !blocks.isEmpty else { return }
        if let last = runs.last, last.isMapped == isMapped {
            runs[runs.count - 1].blocks.count += blocks.count
        } else {
            runs.append((blocks, isMapped))
        }
        position = end
    }

    // MARK: Where no layer has blocks of its own

    private mutating func findQuietEnd() {
        quietEnd = end
        for layer in layers {
            stepsLeft -= layer.slotCount / Self.slotsPerStep
            if let block = layer.firstBlock(from: position) { quietEnd = min(quietEnd, block) }
        }
        wasQuiet = false
    }

    /// One zeroed range, or one leaf or gap of the tree.
    private mutating func passQuietRun() throws(EngineError) -> [NodePointer] {
        stepsLeft -= 1
        var limit = min(quietEnd, end)
        for layer in layers {
            guard let zeroed = layer.zeros.firstRange(endingAfter: position) else { continue }
            if zeroed.start <= position {
                append(upTo: min(zeroed.end, limit), isMapped: false)
                return []
            }
            limit = min(limit, zeroed.start)
        }
        switch try searchTree(at: position) {
        case .absent(let next): append(upTo: min(limit, next), isMapped: false)
        case .full(let next): append(upTo: min(limit, next), isMapped: true)
        case .missing(let nodes): return nodes
        case .leaf(let leaf, let base):
            let last = min(limit, base.advanced(by: UInt64(Geometry.blocksPerLeaf)))
            forEachRun(of: leaf, base, upTo: last) { $0.append(upTo: $1, isMapped: $2) }
        }
        return []
    }

    // MARK: Where some may have

    /// Block by block to the end of the leaf.
    private mutating func passLeaf() throws(EngineError) -> [NodePointer] {
        let leaf = MapGeometry.blocks(ofLeaf: MapGeometry.leaf(of: position))
        let range = BlockRange(position, upTo: min(leaf.end, end))
        var isMapped = [Bool](repeating: false, count: Int(range.count))
        if !layers.contains(where: { $0.zeros.contains(range) }) {
            switch try searchTree(at: position) {
            case .absent: break
            case .full: isMapped = [Bool](repeating: true, count: Int(range.count))
            case .missing(let nodes): return nodes
            case .leaf(let node, let base):
                var block = range.start
                forEachRun(of: node, base, upTo: range.end) { _, end, isStored in
                    if isStored {
                        for index in block.rawValue..<end.rawValue {
                            isMapped[Int(index - range.start.rawValue)] = true
                        }
                    }
                    block = end
                }
            }
        }
        stepsLeft -= 1
        wasQuiet = true
        // Sectors that were zeroed over what is stored, of each block: layer by layer they may become all of it.
        var zeroed = [UInt8](repeating: 0, count: isMapped.count)
        for layer in layers {
            for run in layer.zeros.intersections(with: range) {
                for block in run.start.rawValue..<run.end.rawValue {
                    isMapped[Int(block - range.start.rawValue)] = false
                    zeroed[Int(block - range.start.rawValue)] = 0
                }
            }
            guard layer.slotCount > 0 else { continue }
            stepsLeft -= 1
            for index in isMapped.indices {
                let block = range.start.advanced(by: UInt64(index))
                if layer.change(isStored: &isMapped[index], zeroed: &zeroed[index], of: block) { wasQuiet = false }
            }
        }
        for (index, isStored) in isMapped.enumerated() {
            append(upTo: range.start.advanced(by: UInt64(index) + 1), isMapped: isStored)
        }
        return []
    }

    // MARK: The tree

    private enum TreeSearch {
        /// Nothing is there up to this block; all is.
        case absent(next: BlockIndex)
        case full(next: BlockIndex)
        case leaf(LeafNode, base: BlockIndex)
        case missing([NodePointer])
    }

    private func searchTree(at block: BlockIndex) throws(EngineError) -> TreeSearch {
        let index = MapGeometry.leaf(of: block)
        switch try map.cursor.search(leaf: index, map.cachedNode) {
        case .absent(let next):
            return .absent(next: next < 1 << 40 ? MapGeometry.firstBlock(ofLeaf: next) : BlockIndex(.max))
        case .missing(let nodes, _): return .missing(nodes)
        case .found(let record, let pointer):
            let blocks = MapGeometry.blocks(ofLeaf: index)
            if record.liveByteCount == blocks.count * UInt64(Geometry.blockByteCount) { return .full(next: blocks.end) }
            guard let node = map.cachedNode(pointer) else { return .missing([pointer]) }
            try node.expect(MapNode.Place(kind: .leaf, level: 0, index: index))
            return .leaf(LeafNode(node), base: blocks.start)
        }
    }

    /// Calls `body` with the end of each run from `position` up to `limit`, and whether it is stored.
    private mutating func forEachRun(
        of leaf: LeafNode, _ base: BlockIndex, upTo limit: BlockIndex,
        _ body: (inout ProvisioningScan, BlockIndex, Bool) -> Void
    ) {
        var block = position
        var index = leaf.firstEntry(endingAfter: Int(block.rawValue - base.rawValue))
        while block < limit, index < leaf.count {
            let entry = leaf.entry(index)
            let start = base.advanced(by: UInt64(entry.blockInLeaf))
            if start >= limit { break }
            if start > block { body(&self, start, false) }
            block = min(limit, base.advanced(by: UInt64(entry.endInLeaf)))
            body(&self, block, true)
            index += 1
        }
        if block < limit { body(&self, limit, false) }
    }

    /// Nodes that the scan will need soon, so that it does not wait for one after the other.
    private func nodesAhead(besides missing: [NodePointer]) throws(EngineError) -> [NodePointer] {
        var nodes: [NodePointer] = []
        var leaf = MapGeometry.leaf(of: position) + 1
        let leafEnd = MapGeometry.leaf(of: BlockIndex(end.rawValue - 1)) + 1
        var steps = min(stepsLeft, Self.leavesAhead)
        func add(_ node: NodePointer) {
            if !missing.contains(node), !nodes.contains(node) { nodes.append(node) }
        }
        while leaf < leafEnd, steps > 0, missing.count + nodes.count < Self.nodesAtOnce {
            steps -= 1
            switch try map.cursor.search(leaf: leaf, map.peekNode) {
            case .absent(let next): leaf = next
            case .missing(let needed, let next):
                for node in needed { add(node) }
                leaf = next
            case .found(_, let pointer):
                if map.peekNode(pointer) == nil { add(pointer) }
                leaf += 1
            }
        }
        return nodes
    }
}

extension ProvisioningScan.Layer {
    var zeros: RangeSet {
        switch self {
        case .dirty(let layer): layer.zeroRanges
        case .delta(let index): index.zeros
        }
    }

    var slotCount: Int {
        switch self {
        case .dirty(let layer): layer.table.slotCount
        case .delta(let index): index.blocks.slotCount
        }
    }

    func firstBlock(from block: BlockIndex) -> BlockIndex? {
        switch self {
        case .dirty(let layer): layer.table.firstKey(from: block)
        case .delta(let index): index.blocks.firstKey(from: block)
        }
    }

    /// Takes in what the layer's table says of a block.
    /// - Parameter zeroed: sectors of a stored block that hold nothing any more.
    /// - Returns: whether it says anything.
    func change(isStored: inout Bool, zeroed: inout UInt8, of block: BlockIndex) -> Bool {
        switch self {
        case .delta(let index):
            guard index.blocks[block] != nil else { return false }
            (isStored, zeroed) = (true, 0)
        case .dirty(let layer):
            guard layer.table[block] != nil else { return false }
            switch layer.lookup(block) {
            case .miss: return false
            case .zero: (isStored, zeroed) = (false, 0)
            case .journal: (isStored, zeroed) = (true, 0)
            case .partial(let partial):
                if let base = partial.base { (isStored, zeroed) = (!base.isZero, 0) }
                let data = partial.mask & ~partial.zeroMask
                // Of a block that is not stored all else is zeros.
                zeroed = ((isStored ? zeroed : .max) & ~data) | partial.zeroMask
                isStored = zeroed != .max
                if !isStored { zeroed = 0 }
            }
        }
        return true
    }
}
