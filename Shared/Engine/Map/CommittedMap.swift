// SPDX-License-Identifier: Apache-2.0
import Wire

/// The committed image of one volume: the tree and pack table of the last fold, and the packs since then merged into
/// two indexes, of those that a fold is taking in and of those after them. It asks for nothing itself: a look-up
/// answers with the nodes it lacks, the owner fetches and supplies them. One thread at a time.
package final class CommittedMap {
    package private(set) var root: ImageRoot
    package private(set) var volumeByteCount: UInt64
    /// The fold that `root`'s tree comes from, and the lineage in which it counts.
    package private(set) var foldNumber: UInt64
    package let lineage: UInt64

    /// The newest packs.
    private(set) var delta = DeltaIndex()
    /// The packs before them that a fold takes in, while there is one.
    private(set) var folding: DeltaIndex?
    private var foldingPackCount = 0
    /// How many of `root.packs` are in the indexes; the next waits for its directory.
    private var appliedCount = 0
    private var waiting: [PackReference: PackDirectory] = [:]
    private var cache: NodeCache
    private let codec = ZstdCodec()
    /// Calls of `apply` since the last fold began.
    package private(set) var unfoldedCommitCount = 0

    /// - Parameter nodeCacheByteCount: memory for decoded nodes.
    package init(
        root: ImageRoot, volumeByteCount: UInt64, foldNumber: UInt64, lineage: UInt64, nodeCacheByteCount: Int
    ) {
        precondition(volumeByteCount <= Geometry.largestVolumeByteCount)
        self.root = root
        self.volumeByteCount = volumeByteCount
        self.foldNumber = foldNumber
        self.lineage = lineage
        cache = NodeCache(byteLimit: nodeCacheByteCount)
    }

    var blockCount: UInt64 { volumeByteCount / UInt64(Geometry.blockByteCount) }

    /// Packs that no fold has begun to take in, whether supplied or not.
    package var unfoldedPackCount: Int { root.packs.count - foldingPackCount }
    /// Blocks for which these have data: what the next fold has to take in.
    package var deltaBlockCount: Int { delta.blocks.count }
    /// Memory held by the index and by cached nodes.
    package var byteCount: Int { delta.byteCount + (folding?.byteCount ?? 0) + cache.byteCount }

    // MARK: The packs since the last fold

    /// Directories that are still needed. Nothing can be looked up before all are there.
    package var missingDirectories: [PackReference] {
        root.packs[appliedCount...].filter { waiting[$0] == nil }
    }

    /// Takes a directory in whatever order they arrive; they are applied in the order of the packs. One that is not
    /// waited for is ignored.
    package func supply(directory: PackDirectory, of reference: PackReference) throws(EngineError) {
        guard root.packs[appliedCount...].contains(reference), waiting[reference] == nil else { return }
        guard directory.volume == reference.owner, directory.name == reference.name else {
            throw .misplaced(.packDirectory, reason: "of \(directory.volume) pack \(directory.name)")
        }
        try check(directory)
        waiting[reference] = directory
        applyWaiting()
    }

    /// Takes in the packs of a commit, in order, once its HEAD is stored.
    package func apply(_ packs: [StoredPack]) throws(EngineError) {
        for pack in packs { try check(pack.directory) }
        for pack in packs {
            root.packs.append(pack.reference)
            waiting[pack.reference] = pack.directory
        }
        unfoldedCommitCount += 1
        applyWaiting()
    }

    /// Blocks beyond the end would be written into leaves that nobody can reach.
    func check(_ directory: PackDirectory) throws(EngineError) {
        let end = BlockIndex(blockCount)
        let isInside =
            directory.frames.allSatisfy { frame in frame.blocks.allSatisfy { $0 < end } }
            && directory.zeroRuns.allSatisfy { $0.end <= end }
        guard isInside else { throw .misplaced(.packDirectory, reason: "blocks beyond the volume's end") }
    }

    private func applyWaiting() {
        while appliedCount < root.packs.count {
            let reference = root.packs[appliedCount]
            guard let directory = waiting.removeValue(forKey: reference) else { return }
            delta.apply(directory, of: reference)
            appliedCount += 1
        }
    }

    // MARK: Changing the root

    /// What a fold takes in: all packs applied so far; those applied from now on are left to the next fold. After a
    /// fold that was thrown away the next one takes in the same.
    func beginFold() -> DeltaIndex {
        if let folding { return folding }
        precondition(missingDirectories.isEmpty, "directories are missing")
        let folding = delta
        self.folding = folding
        foldingPackCount = appliedCount
        delta = DeltaIndex()
        unfoldedCommitCount = 0
        return folding
    }

    /// The root with a fold's result in place of what the fold took in.
    package func root(folded: ImageRoot) -> ImageRoot {
        var root = folded
        root.packs = Array(self.root.packs[foldingPackCount...])
        return root
    }

    /// Takes a fold's result in place of the tree and of what the fold took in.
    package func install(_ folded: ImageRoot, foldNumber: UInt64) {
        precondition(folded.packs.isEmpty && foldNumber > self.foldNumber)
        precondition(folding != nil, "no fold was begun")
        root = root(folded: folded)
        self.foldNumber = foldNumber
        appliedCount -= foldingPackCount
        foldingPackCount = 0
        folding = nil
    }

    /// The volume has grown; what is new reads as zeros.
    package func grow(toByteCount byteCount: UInt64) {
        precondition(byteCount >= volumeByteCount && byteCount <= Geometry.largestVolumeByteCount)
        volumeByteCount = byteCount
    }

    // MARK: Nodes

    /// Takes the bytes that a look-up asked for.
    package func supply(node bytes: [UInt8], at pointer: NodePointer) throws(EngineError) {
        cache.insert(try MapNodeFormat.decode(bytes, at: pointer, codec: codec), at: pointer)
    }

    func resizeCache(byteLimit: Int) { cache.resize(byteLimit: byteLimit) }
    func beginUse() { cache.beginUse() }
    func cachedNode(_ pointer: NodePointer) -> MapNode? { cache.node(at: pointer) }
    func peekNode(_ pointer: NodePointer) -> MapNode? { cache.peek(pointer) }
    /// A node a fold has written: new nodes have new names, so it does no harm if the fold is thrown away.
    func cache(_ node: MapNode, at pointer: NodePointer) { cache.insert(node, at: pointer) }

    var cursor: TreeCursor { TreeCursor(tree: root.tree, packTable: root.packTable) }
}
