// SPDX-License-Identifier: Apache-2.0
import Wire

/// Walks from a root to the leaves and rows it names, with whatever nodes are at hand; what is not at hand becomes a
/// list of pointers to fetch. Used by look-ups (nodes from the cache) and by the fold (its own nodes, too).
struct TreeCursor {
    let tree: NodePointer?
    let packTable: NodePointer?

    /// What lies above a leaf.
    enum LeafSearch {
        /// No leaf here, nor before leaf `next`.
        case absent(next: UInt64)
        case found(ChildRecord, NodePointer)
        /// Not known until these are there; `next` is the first leaf that does not depend on them.
        case missing([NodePointer], next: UInt64)
    }

    enum Lookup<Value> {
        case found(Value)
        case missing(NodePointer)
    }

    /// Looks for the leaf from the top. `node` answers what is at hand.
    func search(
        leaf: UInt64, _ node: (NodePointer) -> MapNode?
    ) throws(EngineError) -> LeafSearch {
        guard let tree else { return .absent(next: .max) }
        guard let root = node(tree) else { return .missing([tree], next: .max) }
        var level = Int(root.place.level)
        try root.expect(MapNode.Place(kind: .inner, level: UInt8(level), index: 0))
        guard leaf < MapGeometry.leavesBelow(level: level) else { return .absent(next: .max) }
        var current = root
        while true {
            // `current` is an inner node of `level`; its children are of the level below.
            level -= 1
            let inner = InnerNode(current)
            let slot = MapGeometry.slot(ofLeaf: leaf, level: level)
            let index = MapGeometry.index(ofLeaf: leaf, level: level)
            let next = (index + 1) * MapGeometry.leavesBelow(level: level)
            guard let child = inner.child(slot) else {
                return .absent(next: Self.next(in: inner, after: slot, index: index, level: level))
            }
            let pointer: NodePointer
            switch try self.pointer(to: child, node) {
            case .missing(let needed): return .missing([needed], next: next)
            case .found(let found): pointer = found
            }
            if level == 0 { return .found(child, pointer) }
            guard let below = node(pointer) else { return .missing([pointer], next: next) }
            try below.expect(MapNode.Place(kind: .inner, level: UInt8(level), index: index))
            current = below
        }
    }

    /// The first leaf below the next child that is there, or below the next node if none is.
    private static func next(in inner: InnerNode, after slot: Int, index: UInt64, level: Int) -> UInt64 {
        let following = inner.firstChild(from: slot + 1) ?? InnerNode.fanOut
        return (index + UInt64(following - slot)) * MapGeometry.leavesBelow(level: level)
    }

    /// The node above the leaves at this level, with its record; level 1...root's. Absent levels answer nil.
    func inner(
        level wanted: Int, index: UInt64, _ node: (NodePointer) -> MapNode?
    ) throws(EngineError) -> Lookup<(record: ChildRecord, node: MapNode)?> {
        guard let tree else { return .found(nil) }
        guard let root = node(tree) else { return .missing(tree) }
        var level = Int(root.place.level)
        try root.expect(MapNode.Place(kind: .inner, level: UInt8(level), index: 0))
        let leaf = index * MapGeometry.leavesBelow(level: wanted)
        guard wanted <= level, leaf < MapGeometry.leavesBelow(level: level) else { return .found(nil) }
        var current = root
        var record = Self.record(ofRoot: root, at: tree)
        while level > wanted {
            level -= 1
            guard let child = InnerNode(current).child(MapGeometry.slot(ofLeaf: leaf, level: level)) else {
                return .found(nil)
            }
            let pointer: NodePointer
            switch try self.pointer(to: child, node) {
            case .missing(let needed): return .missing(needed)
            case .found(let found): pointer = found
            }
            guard let below = node(pointer) else { return .missing(pointer) }
            try below.expect(
                MapNode.Place(
                    kind: .inner, level: UInt8(level), index: MapGeometry.index(ofLeaf: leaf, level: level)))
            record = child
            current = below
        }
        return .found((record, current))
    }

    /// What a node above the root would say of it, once the tree has grown.
    static func record(ofRoot root: MapNode, at pointer: NodePointer) -> ChildRecord {
        let inner = InnerNode(root)
        return ChildRecord(
            packIndex: root.packIndex, byteOffset: pointer.byteOffset, byteCount: pointer.byteCount,
            checksum: pointer.checksum, liveByteCount: inner.liveByteCount, highestBirth: inner.highestBirth,
            lineage: root.lineage)
    }

    // MARK: The pack table

    func pointer(
        to child: ChildRecord, _ node: (NodePointer) -> MapNode?
    ) throws(EngineError) -> Lookup<NodePointer> {
        switch try row(child.packIndex, node) {
        case .missing(let needed): return .missing(needed)
        case .found(let row):
            guard row.kind == .map else {
                throw .malformed(.packTable, reason: "pack \(child.packIndex) holds no map nodes")
            }
            return .found(
                NodePointer(
                    owner: row.owner, pack: row.name, byteOffset: child.byteOffset, byteCount: child.byteCount,
                    checksum: child.checksum))
        }
    }

    func row(_ packIndex: UInt32, _ node: (NodePointer) -> MapNode?) throws(EngineError) -> Lookup<PackTableRow> {
        guard let packTable else { throw .malformed(.packTable, reason: "a tree without a pack table") }
        guard let rootNode = node(packTable) else { return .missing(packTable) }
        try rootNode.expect(MapNode.Place(kind: .tableRoot, level: 1, index: 0))
        let number = PackTablePage.page(of: packIndex)
        guard let pointer = PackTableRoot(rootNode).pointer(toPage: number) else {
            throw .malformed(.packTable, reason: "pack \(packIndex) is on no page")
        }
        guard let page = node(pointer) else { return .missing(pointer) }
        try page.expect(MapNode.Place(kind: .tablePage, level: 0, index: UInt64(number)))
        guard let row = PackTablePage(page).row(PackTablePage.slot(of: packIndex)) else {
            throw .malformed(.packTable, reason: "pack \(packIndex) has no row")
        }
        return .found(row)
    }
}
