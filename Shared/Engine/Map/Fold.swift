// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Takes the packs since the last fold into the tree: writes changed leaves, inner nodes and pack-table pages into new
/// map packs, and counts which packs lost live bytes. Sans-I/O; runs on the volume's thread, beside its commits.
///
/// `next()` says what to do; each `.fetch` is answered by supplying all its nodes, each `.put` by `stored()` or, if it
/// is not known to have been stored, by `reissue()`, which gives the pack another name; after `.pause` it is called
/// again when others had their turn. Nothing that exists is changed: a fold can be thrown away at any step.
package final class Fold {
    package enum Step: Equatable {
        case fetch([NodePointer])
        case put(pack: PackName, key: ObjectKey, bytes: [UInt8])
        case pause
        case done(ImageRoot, FoldStatistics)
    }

    enum Phase {
        case roots, leaves
        case inner(level: Int)
        case lastTreePack, table, done
    }

    /// Nodes asked for at once.
    static let fetchWindow = 64
    /// Nodes written between two pauses: some 2 ms.
    private static let nodesPerTurn = 16

    let map: CommittedMap
    let delta: DeltaIndex
    let volume: VolumeID
    let foldNumber: UInt64
    let mapPackByteCount: Int
    private let nextPackName: () -> PackName
    private let codec = ZstdCodec()

    /// As many as the volume had when the fold began: it may grow meanwhile.
    let blockCount: UInt64
    /// Every block was zeroed or written anew: the old tree need not be read at all.
    let forgetsOldTree: Bool
    let cursor: TreeCursor

    private var phase = Phase.roots
    /// What is needed of the old roots throughout.
    var oldHeight = 0
    var oldRootRecord: ChildRecord?
    var oldTable: PackTableRoot?
    /// Nodes this fold has fetched; leaves go when they are done with.
    var nodes: [NodePointer: MapNode] = [:]
    private var nodesLeft = 0
    private var fetching: Set<NodePointer> = []
    private var putting: PackName?
    var statistics = FoldStatistics()

    // Leaves, in ascending order.
    let keys: [BlockIndex]
    var keyCursor = 0
    var leafCursor: UInt64 = 0
    var merge = LeafMerge()

    // One level of changed nodes, in ascending order; nil: gone.
    var changes: [(index: UInt64, record: ChildRecord?)] = []
    var changeCursor = 0
    var changesAbove: [(index: UInt64, record: ChildRecord?)] = []

    // The pack table.
    var nextIndex: UInt32 = 0
    var indexOfDeltaPack: [UInt32]
    var liveChanges = LiveChanges()
    var newRows: [UInt32: PackTableRow] = [:]
    var pageQueue: [UInt32] = []
    var pageCursor = 0
    var pagePointers: [UInt32: NodePointer] = [:]

    var pack: OpenMapPack?
    private var newTree: NodePointer?
    private var newTable: NodePointer?

    /// - Parameters:
    ///   - map: all of whose directories are there.
    ///   - volume: the owner of the packs that are written.
    ///   - nextPackName: answers another name each time; names never used are no loss.
    package init(
        of map: CommittedMap, volume: VolumeID, foldNumber: UInt64, mapPackByteCount: Int,
        nextPackName: @escaping () -> PackName
    ) throws(EngineError) {
        precondition(foldNumber > map.foldNumber && mapPackByteCount > 0)
        guard foldNumber < MapEntry.birthLimit else {
            throw .malformed(.mapNode, reason: "fold \(foldNumber) is more than entries can count")
        }
        let delta = map.beginFold()
        self.map = map
        self.delta = delta
        self.volume = volume
        self.foldNumber = foldNumber
        blockCount = map.blockCount
        self.mapPackByteCount = mapPackByteCount
        self.nextPackName = nextPackName
        forgetsOldTree =
            map.root.tree != nil
            && delta.zeros.contains(BlockRange(start: BlockIndex(0), count: blockCount))
        cursor = TreeCursor(tree: forgetsOldTree ? nil : map.root.tree, packTable: map.root.packTable)
        keys = delta.blocks.sortedKeys()
        indexOfDeltaPack = [UInt32](repeating: MapNode.noPackIndex, count: delta.packs.count)
    }

    /// What to do now. The step before must have been answered.
    package func next() throws(EngineError) -> Step {
        precondition(fetching.isEmpty && putting == nil, "the step before was not answered")
        nodesLeft = Self.nodesPerTurn
        while true {
            switch phase {
            case .roots:
                let needed = [cursor.tree, cursor.packTable].compactMap { $0 }.filter { node($0) == nil }
                if !needed.isEmpty { return fetch(needed) }
                try openRoots()
                phase = .leaves
            case .leaves:
                if let step = try foldLeaves() { return step }
                phase = changes.isEmpty && !forgetsOldTree ? .done : .inner(level: 1)
            case .inner(let level):
                if let step = try foldInner(level: level) { return step }
                phase = level < height ? .inner(level: level + 1) : .lastTreePack
            case .lastTreePack:
                if pack != nil { return put() }
                setTreeRoot()
                try queuePages()
                phase = .table
            case .table:
                return try foldTable()
            case .done:
                return finish()
            }
        }
    }

    /// The bytes of a node that was asked for.
    package func supply(node bytes: [UInt8], at pointer: NodePointer) throws(EngineError) {
        guard fetching.contains(pointer) else { return }
        nodes[pointer] = try MapNodeFormat.decode(bytes, at: pointer, codec: codec)
        fetching.remove(pointer)
        statistics.nodesFetched += 1
    }

    /// The pack of the last step is durable.
    /// - Returns: its nodes, and the bytes in which they are.
    @discardableResult
    package func stored() -> (nodes: [NodePointer], bytes: [UInt8]) {
        guard let name = putting, let pack else { preconditionFailure("nothing is being stored") }
        putting = nil
        statistics.mapPacksWritten += 1
        for written in pack.written where written.isWorthCaching {
            map.cache(written.node, at: written.pointer(owner: volume, pack: name))
        }
        switch pack.contents {
        case .tree:
            let content = UInt64(pack.bytes.count)
            newRows[pack.packIndex] = PackTableRow(
                owner: volume, name: name, kind: .map,
                objectByteCount: content + UInt64(MapPackFormat.footerByteCount), contentByteCount: content,
                liveByteCount: content, birth: foldNumber)
            statistics.mapByteCount += pack.bytes.count + MapPackFormat.footerByteCount
        case .table:
            for written in pack.written {
                let pointer = written.pointer(owner: volume, pack: name)
                if written.node.place.kind == .tableRoot {
                    newTable = pointer
                    phase = .done
                } else {
                    pagePointers[UInt32(written.node.place.index)] = pointer
                }
            }
            statistics.mapByteCount += pack.bytes.count + MapPackFormat.footerByteCount
        }
        self.pack = nil
        return (pack.written.map { $0.pointer(owner: volume, pack: name) }, pack.bytes)
    }

    /// The pack of the last step may or may not have been stored: the same content under another name.
    package func reissue() throws(EngineError) -> Step {
        precondition(putting != nil, "nothing is being stored")
        putting = nil
        guard let pack, pack.contents == .table, pack.endsWithRoot else { return put() }
        self.pack?.removeRoot()
        return try putLastTablePack()
    }

    /// The last step was a fetch, and not all of it was supplied.
    var isFetching: Bool { !fetching.isEmpty }
    /// The last step was a put, and it was not said how it ended.
    var isPutting: Bool { putting != nil }

    // MARK: Nodes and packs

    func node(_ pointer: NodePointer) -> MapNode? { nodes[pointer] ?? map.peekNode(pointer) }

    func fetch(_ pointers: [NodePointer]) -> Step {
        precondition(!pointers.isEmpty, "a fetch of nothing")
        fetching = Set(pointers)
        return .fetch(pointers)
    }

    func allocateIndex() throws(EngineError) -> UInt32 {
        guard nextIndex < MapNode.noPackIndex else { throw .tooLarge(.packTable, byteCount: Int(nextIndex)) }
        defer { nextIndex += 1 }
        return nextIndex
    }

    /// Adds a tree node to the open pack.
    func write(
        _ place: MapNode.Place, count: Int, words: [UInt64], liveByteCount: UInt64, isWorthCaching: Bool
    ) throws(EngineError) -> ChildRecord {
        if pack == nil { pack = OpenMapPack(contents: .tree, packIndex: try allocateIndex()) }
        guard var open = pack.take() else { preconditionFailure("just opened") }
        let written = try open.append(
            MapNode(
                place: place, volume: volume, birth: foldNumber, lineage: map.lineage, packIndex: open.packIndex,
                count: count, words: words),
            isWorthCaching: isWorthCaching, codec: codec)
        let record = ChildRecord(
            packIndex: open.packIndex, byteOffset: written.byteOffset, byteCount: written.byteCount,
            checksum: written.checksum, liveByteCount: liveByteCount, highestBirth: foldNumber, lineage: map.lineage)
        pack = open
        nodesLeft -= 1
        return record
    }

    func write(page number: UInt32, rows: [PackTableRow?]) throws(EngineError) {
        var open = pack.take() ?? OpenMapPack(contents: .table, packIndex: MapNode.noPackIndex)
        _ = try open.append(
            MapNode(
                place: MapNode.Place(kind: .tablePage, level: 0, index: UInt64(number)), volume: volume,
                birth: foldNumber, lineage: map.lineage, packIndex: MapNode.noPackIndex,
                count: rows.reduce(0) { $0 + ($1 == nil ? 0 : 1) }, words: PackTablePage.words(rows)),
            isWorthCaching: true, codec: codec)
        pack = open
        nodesLeft -= 1
        statistics.tablePagesWritten += 1
    }

    var isPackFull: Bool { pack.map { $0.bytes.count >= mapPackByteCount } ?? false }
    /// Others are to have a turn.
    var isTurnOver: Bool { nodesLeft <= 0 }

    /// Hands out the open pack.
    func put() -> Step {
        let name = nextPackName()
        return put(as: name)
    }

    private func put(as name: PackName) -> Step {
        guard let pack else { preconditionFailure("no pack is open") }
        putting = name
        let bytes = MapPackFormat.encode(
            nodes: pack.bytes, nodeCount: pack.written.count, identity: PackIdentity(volume: volume, name: name),
            contents: pack.contents, foldNumber: foldNumber)
        return .put(pack: name, key: BucketLayout.mapPack(volume, name), bytes: bytes)
    }

    /// The last pack of the table ends with the root, which names the pages beside it: so it is made when the name is
    /// known.
    func putLastTablePack() throws(EngineError) -> Step {
        let name = nextPackName()
        var open = pack.take() ?? OpenMapPack(contents: .table, packIndex: MapNode.noPackIndex)
        var pointers = pagePointers
        for written in open.written {
            pointers[UInt32(written.node.place.index)] = written.pointer(owner: volume, pack: name)
        }
        let pages = pointers.sorted { $0.key < $1.key }.map { (number: $0.key, pointer: $0.value) }
        _ = try open.append(
            MapNode(
                place: MapNode.Place(kind: .tableRoot, level: 1, index: 0), volume: volume, birth: foldNumber,
                lineage: map.lineage, packIndex: MapNode.noPackIndex, count: pages.count,
                words: PackTableRoot.words(nextIndex: nextIndex, pages: pages)),
            isWorthCaching: true, codec: codec)
        pack = open
        return put(as: name)
    }

    /// The tree's root is the last change of the highest level; its pack is stored.
    private func setTreeRoot() {
        guard let record = changes.last?.record else { return }
        guard let row = newRows[record.packIndex] else { preconditionFailure("a root in a pack not stored") }
        newTree = NodePointer(
            owner: row.owner, pack: row.name, byteOffset: record.byteOffset, byteCount: record.byteCount,
            checksum: record.checksum)
    }

    private func finish() -> Step {
        let isUnchanged = newTable == nil
        let root = ImageRoot(
            tree: isUnchanged ? map.root.tree : newTree, packTable: isUnchanged ? map.root.packTable : newTable)
        releasePacks(newTable: newTable)
        return .done(root, statistics)
    }
}
