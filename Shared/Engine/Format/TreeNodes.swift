// SPDX-License-Identifier: Apache-2.0
import Wire

/// The map's lowest level, 4 MiB of volume: entries sorted by block, not overlapping.
struct LeafNode {
    let node: MapNode
    init(_ node: MapNode) { self.node = node }

    var count: Int { node.count }

    func entry(_ index: Int) -> MapEntry {
        MapEntry(word0: node.words[2 * index], word1: node.words[2 * index + 1])
    }

    /// The first entry that ends after this block, or `count`.
    func firstEntry(endingAfter blockInLeaf: Int) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if entry(middle).endInLeaf > blockInLeaf { high = middle } else { low = middle + 1 }
        }
        return low
    }

    var blockCount: Int { (0..<count).reduce(0) { $0 + entry($1).count } }

    static func words(_ entries: [MapEntry]) -> [UInt64] {
        var words: [UInt64] = []
        words.reserveCapacity(entries.count * 2)
        for entry in entries {
            words.append(entry.word0)
            words.append(entry.word1)
        }
        return words
    }

    func check() throws(EngineError) {
        guard count > 0 else { throw .malformed(.mapNode, reason: "an empty leaf") }
        var end = 0
        for index in 0..<count {
            let entry = entry(index)
            try entry.check()
            guard entry.blockInLeaf >= end else { throw .malformed(.mapNode, reason: "entries out of order") }
            end = entry.endInLeaf
        }
    }
}

/// What an inner node knows of a node below it: 40 bytes.
struct ChildRecord: Equatable {
    /// The map pack, by its index in the pack table of the same root.
    var packIndex: UInt32
    var byteOffset: UInt32
    var byteCount: UInt32
    var checksum: UInt32
    /// 4096 for each block that has an entry below.
    var liveByteCount: UInt64
    /// The last fold that changed anything below, removals included.
    var highestBirth: UInt64
    /// In which births below count.
    var lineage: UInt64
}

/// A node above the leaves: up to 256 children in order.
///
///     words 0 ..< 4   bitmap of the children that are there
///     then per child  word 0  pack index << 32 | offset
///                     word 1  length << 32 | checksum
///                     word 2  live bytes
///                     word 3  highest birth
///                     word 4  lineage
struct InnerNode {
    static let fanOut = 256
    static let bitmapWords = fanOut / 64
    static let childWords = 5

    let node: MapNode
    init(_ node: MapNode) { self.node = node }

    func child(_ slot: Int) -> ChildRecord? {
        guard PresenceBitmap.contains(slot, in: node.words) else { return nil }
        return record(at: PresenceBitmap.rank(of: slot, in: node.words))
    }

    func firstChild(from slot: Int) -> Int? {
        PresenceBitmap.first(from: slot, capacity: Self.fanOut, in: node.words)
    }

    private func record(at rank: Int) -> ChildRecord {
        let base = Self.bitmapWords + rank * Self.childWords
        let words = node.words
        return ChildRecord(
            packIndex: UInt32(words[base] >> 32), byteOffset: UInt32(truncatingIfNeeded: words[base]),
            byteCount: UInt32(words[base + 1] >> 32), checksum: UInt32(truncatingIfNeeded: words[base + 1]),
            liveByteCount: words[base + 2], highestBirth: words[base + 3], lineage: words[base + 4])
    }

    var liveByteCount: UInt64 { (0..<node.count).reduce(0) { $0 &+ record(at: $1).liveByteCount } }
    var highestBirth: UInt64 { (0..<node.count).reduce(0) { max($0, record(at: $1).highestBirth) } }

    /// - Parameter children: 256 slots.
    static func words(_ children: [ChildRecord?]) -> [UInt64] {
        precondition(children.count == fanOut)
        var words = [UInt64](repeating: 0, count: bitmapWords)
        for (slot, child) in children.enumerated() {
            guard let child else { continue }
            words[slot / 64] |= 1 << UInt64(slot % 64)
            words.append(UInt64(child.packIndex) << 32 | UInt64(child.byteOffset))
            words.append(UInt64(child.byteCount) << 32 | UInt64(child.checksum))
            words.append(child.liveByteCount)
            words.append(child.highestBirth)
            words.append(child.lineage)
        }
        return words
    }

    func check() throws(EngineError) {
        guard node.count > 0, PresenceBitmap.count(capacity: Self.fanOut, in: node.words) == node.count else {
            throw .malformed(.mapNode, reason: "an inner node's bitmap is not of \(node.count) children")
        }
        let span = MapGeometry.blocksBelow(level: Int(node.place.level) - 1) * UInt64(Geometry.blockByteCount)
        for rank in 0..<node.count {
            let child = record(at: rank)
            guard child.byteCount >= UInt32(MapNodeFormat.headerByteCount), child.liveByteCount > 0,
                child.liveByteCount <= span
            else { throw .malformed(.mapNode, reason: "a child of \(child.byteCount) bytes") }
        }
    }
}
