// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

@testable import Engine  // The walk reads nodes as they are, which no package API shows.

/// Counts a root's live bytes by walking all of it, and holds the pack table to the result.
struct MapTreeWalk {
    let volume: MapModelVolume
    let codec = ZstdCodec()
    var live: [UInt32: UInt64] = [:]
    var rows: [UInt32: PackTableRow] = [:]
    /// Packs of the table itself, which it has no rows for.
    var tablePacks: Set<PackIdentity> = []
    var nodeCount = 0
    var leafCount = 0
    var height = 0

    init(_ volume: MapModelVolume) throws {
        self.volume = volume
        let root = volume.map.root
        if let pointer = root.packTable { try readTable(pointer) }
        if let pointer = root.tree {
            let node = try decode(pointer)
            height = Int(node.place.level)
            live[node.packIndex, default: 0] += UInt64(pointer.byteCount)
            _ = try walk(node)
        }
    }

    private func decode(_ pointer: NodePointer) throws -> MapNode {
        let bytes = try volume.read(
            BucketLayout.mapPack(pointer.owner, pointer.pack), UInt64(pointer.byteOffset), Int(pointer.byteCount))
        return try MapNodeFormat.decode(bytes, at: pointer, codec: codec)
    }

    private mutating func readTable(_ pointer: NodePointer) throws {
        let table = PackTableRoot(try decode(pointer))
        tablePacks.insert(PackIdentity(volume: pointer.owner, name: pointer.pack))
        for position in 0..<table.pageCount {
            let page = table.pointer(at: position)
            tablePacks.insert(PackIdentity(volume: page.owner, name: page.pack))
        }
        for position in 0..<table.pageCount {
            let page = PackTablePage(try decode(table.pointer(at: position)))
            let first = table.pageNumber(at: position) * UInt32(PackTablePage.rowLimit)
            for slot in 0..<PackTablePage.rowLimit {
                if let row = page.row(slot) { rows[first + UInt32(slot)] = row }
            }
        }
        #expect(rows.keys.allSatisfy { $0 < table.nextIndex })
    }

    /// Answers the live bytes below.
    private mutating func walk(_ node: MapNode) throws -> UInt64 {
        nodeCount += 1
        if node.place.kind == .leaf {
            leafCount += 1
            let leaf = LeafNode(node)
            var total: UInt64 = 0
            for index in 0..<leaf.count {
                let entry = leaf.entry(index)
                live[entry.place.packIndex, default: 0] += UInt64(entry.count) * 4096
                total += UInt64(entry.count) * 4096
                #expect(entry.birth <= node.birth)
            }
            return total
        }
        var total: UInt64 = 0
        let inner = InnerNode(node)
        for slot in 0..<InnerNode.fanOut {
            guard let child = inner.child(slot) else { continue }
            let row = try #require(rows[child.packIndex])
            let below = try decode(
                NodePointer(
                    owner: row.owner, pack: row.name, byteOffset: child.byteOffset, byteCount: child.byteCount,
                    checksum: child.checksum))
            #expect(below.packIndex == child.packIndex && child.highestBirth >= below.birth)
            #expect(below.place.index == node.place.index << 8 | UInt64(slot))
            live[child.packIndex, default: 0] += UInt64(child.byteCount)
            #expect(try walk(below) == child.liveByteCount)
            total += child.liveByteCount
        }
        return total
    }

    /// The table says what the walk says, of every pack and of no other.
    func check() {
        #expect(rows.mapValues(\.liveByteCount) == live)
        for row in rows.values {
            let key =
                row.kind == .data
                ? BucketLayout.dataPack(row.owner, row.name) : BucketLayout.mapPack(row.owner, row.name)
            #expect(volume.bucket[key]?.count == Int(row.objectByteCount))
        }
    }
}

extension MapTreeWalk {
    /// Each map pack in the bucket verifies with nothing but its name.
    func verifyMapPacks() throws {
        var count = 0
        for (key, bytes) in volume.bucket where key.name.contains("/map/") {
            let name = try #require(key.name.split(separator: "/").last.flatMap { PackName(String($0)) })
            let nodes = try MapPackFormat.decode(
                bytes, expecting: PackIdentity(volume: volume.volume, name: name), codec: codec)
            #expect(!nodes.isEmpty)
            count += 1
        }
        #expect(count > 0)
    }
}
