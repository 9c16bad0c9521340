// SPDX-License-Identifier: Apache-2.0
import Wire

/// Walks the whole tree of a root and holds its pack table to what it finds: live bytes of each pack and of each node,
/// births, places. Folds count incrementally; this counts anew, which is how a wrong count is found before anything is
/// deleted by it.
package struct RootAudit {
    /// Every pack that the tree uses, by its index in the table.
    package private(set) var rows: [UInt32: PackTableRow] = [:]
    /// Live bytes as walked.
    package private(set) var live: [UInt32: UInt64] = [:]
    package private(set) var leafCount = 0

    private let read: ObjectReader
    private let codec = ZstdCodec()

    /// Throws what is wrong with the root, or what `read` throws.
    package init(_ root: ImageRoot, read: @escaping ObjectReader) throws {
        self.read = read
        if let pointer = root.packTable { try readTable(pointer) }
        if let pointer = root.tree {
            let node = try decode(pointer)
            live[node.packIndex, default: 0] += UInt64(pointer.byteCount)
            _ = try walk(node)
        }
        for index in Set(rows.keys).union(live.keys).sorted() {
            let (counted, stated) = (live[index] ?? 0, rows[index]?.liveByteCount ?? 0)
            guard counted == stated else {
                throw EngineError.malformed(
                    .packTable, reason: "pack \(index) has \(counted) live bytes, not \(stated)")
            }
        }
    }

    private func decode(_ pointer: NodePointer) throws -> MapNode {
        let bytes = try read(
            BucketLayout.mapPack(pointer.owner, pointer.pack), UInt64(pointer.byteOffset), Int(pointer.byteCount))
        return try MapNodeFormat.decode(bytes, at: pointer, codec: codec)
    }

    private mutating func readTable(_ pointer: NodePointer) throws {
        let table = PackTableRoot(try decode(pointer))
        for position in 0..<table.pageCount {
            let page = PackTablePage(try decode(table.pointer(at: position)))
            let first = table.pageNumber(at: position) * UInt32(PackTablePage.rowLimit)
            for slot in 0..<PackTablePage.rowLimit {
                guard let row = page.row(slot) else { continue }
                let index = first + UInt32(slot)
                guard index < table.nextIndex else {
                    throw EngineError.malformed(.packTable, reason: "index \(index) was never given")
                }
                rows[index] = row
            }
        }
    }

    /// - Returns: the live bytes of blocks below.
    private mutating func walk(_ node: MapNode) throws -> UInt64 {
        if node.place.kind == .leaf { return try count(LeafNode(node)) }
        var total: UInt64 = 0
        let inner = InnerNode(node)
        for slot in 0..<InnerNode.fanOut {
            guard let child = inner.child(slot) else { continue }
            guard let row = rows[child.packIndex] else {
                throw EngineError.malformed(.mapNode, reason: "a child in pack \(child.packIndex), which has no row")
            }
            let below = try decode(
                NodePointer(
                    owner: row.owner, pack: row.name, byteOffset: child.byteOffset, byteCount: child.byteCount,
                    checksum: child.checksum))
            guard below.packIndex == child.packIndex, child.highestBirth >= below.birth,
                below.place.index == node.place.index << 8 | UInt64(slot)
            else { throw EngineError.misplaced(.mapNode, reason: "child \(slot) of node \(node.place.index)") }
            live[child.packIndex, default: 0] += UInt64(child.byteCount)
            let found = try walk(below)
            guard found == child.liveByteCount else {
                throw EngineError.malformed(
                    .mapNode, reason: "child \(slot) has \(found) live bytes, not \(child.liveByteCount)")
            }
            total += found
        }
        return total
    }

    private mutating func count(_ leaf: LeafNode) throws -> UInt64 {
        leafCount += 1
        var total: UInt64 = 0
        for index in 0..<leaf.count {
            let entry = leaf.entry(index)
            guard entry.birth <= leaf.node.birth else {
                throw EngineError.malformed(.mapNode, reason: "an entry born after its leaf")
            }
            let byteCount = UInt64(entry.count * Geometry.blockByteCount)
            live[entry.place.packIndex, default: 0] += byteCount
            total += byteCount
        }
        return total
    }
}
