// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // Nodes are internal: outside the engine nobody needs them.

@Suite struct FormatMapNodeTests {
    private let codec = ZstdCodec()

    private func node(
        _ kind: MapNode.Kind, level: UInt8, index: UInt64, packIndex: UInt32, count: Int, words: [UInt64]
    ) -> MapNode {
        MapNode(
            place: MapNode.Place(kind: kind, level: level, index: index), volume: FormatSamples.volume, birth: 77,
            lineage: FormatSamples.lineage, packIndex: packIndex, count: count, words: words)
    }

    private func encode(_ node: MapNode) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let (byteCount, checksum) = try MapNodeFormat.encode(node, codec: codec, into: &bytes)
        #expect(Int(byteCount) == bytes.count && checksum == CRC32C.checksum(bytes))
        return bytes
    }

    private let entries = [
        MapEntry(
            blockInLeaf: 0, count: 16, firstInFrame: 0, birth: 77,
            place: FramePlace(packIndex: 4, byteOffset: 0, byteCount: 65664)),
        MapEntry(
            blockInLeaf: 40, count: 1, firstInFrame: 3, birth: MapEntry.birthLimit - 1,
            place: FramePlace(packIndex: .max - 1, byteOffset: ((1 << 19) - 1) * 64, byteCount: ((1 << 11) - 1) * 64)),
        MapEntry(
            blockInLeaf: 1023, count: 1, firstInFrame: 15, birth: 5,
            place: FramePlace(packIndex: 4, byteOffset: 64, byteCount: 128)),
    ]

    @Test func leafIsTheGoldenOne() throws {
        let leaf = node(.leaf, level: 0, index: 12345, packIndex: 9, count: 3, words: LeafNode.words(entries))
        let golden = try Golden.bytes("map/v1/leaf")
        #expect(try encode(leaf) == golden)
        let decoded = LeafNode(try MapNodeFormat.decode(golden, codec: codec))
        #expect((0..<3).map(decoded.entry) == entries)
        #expect(decoded.blockCount == 18)
        for entry in entries {
            #expect(
                MapEntry(
                    blockInLeaf: entry.blockInLeaf, count: entry.count, firstInFrame: entry.firstInFrame,
                    birth: entry.birth,
                    place: FramePlace(
                        packIndex: entry.place.packIndex, byteOffset: entry.place.byteOffset,
                        byteCount: entry.place.byteCount)) == entry)
        }
    }

    @Test func leavesAreSearchedInPlace() throws {
        let leaf = LeafNode(try MapNodeFormat.decode(try Golden.bytes("map/v1/leaf"), codec: codec))
        #expect([0, 15, 16, 39, 40, 41, 1022, 1023].map(leaf.firstEntry) == [0, 0, 1, 1, 1, 2, 2, 2])
    }

    @Test func goldenInnerNodeDecodes() throws {
        let golden = try Golden.bytes("map/v1/inner")
        let inner = InnerNode(try MapNodeFormat.decode(golden, codec: codec))
        let leaf = try Golden.bytes("map/v1/leaf")
        #expect(
            inner.child(5)
                == ChildRecord(
                    packIndex: 9, byteOffset: 0, byteCount: UInt32(leaf.count), checksum: CRC32C.checksum(leaf),
                    liveByteCount: 18 * 4096, highestBirth: 77, lineage: FormatSamples.lineage))
        #expect(inner.child(255)?.byteCount == 500 && inner.child(255)?.checksum == 0xdead_beef)
        #expect(inner.child(0) == nil && inner.child(254) == nil)
        #expect(
            inner.firstChild(from: 0) == 5 && inner.firstChild(from: 6) == 255 && inner.firstChild(from: 256) == nil)
        #expect(inner.liveByteCount == 19 * 4096 && inner.highestBirth == 77)
        let children = (0..<256).map(inner.child)
        let again = node(.inner, level: 1, index: 48, packIndex: 9, count: 2, words: InnerNode.words(children))
        #expect(again.words == inner.node.words)
        #expect(try MapNodeFormat.decode(encode(again), codec: codec).words == again.words)
    }

    @Test func goldenTableDecodes() throws {
        let golden = try Golden.bytes("map/v1/table-page")
        let page = PackTablePage(try MapNodeFormat.decode(golden, codec: codec))
        let row = PackTableRow(
            owner: FormatSamples.volume, name: FormatSamples.name, kind: .data, objectByteCount: 1 << 20,
            contentByteCount: 4096 * 200, liveByteCount: 4096 * 17, birth: 77)
        #expect(page.row(4) == row && page.row(9)?.kind == .map && page.row(5) == nil)
        #expect(PackTablePage.words(page.rows) == page.node.words)
        let root = PackTableRoot(
            try MapNodeFormat.decode(try Golden.bytes("map/v1/table-root"), codec: codec))
        #expect(root.nextIndex == 3000 && root.pageCount == 1 && root.pageNumber(at: 0) == 2)
        let pointer = NodePointer(
            owner: FormatSamples.volume, pack: PackName(generation: 2, start: 3, number: 0x106), byteOffset: 0,
            byteCount: UInt32(golden.count), checksum: CRC32C.checksum(golden))
        #expect(root.pointer(toPage: 2) == pointer && root.pointer(toPage: 1) == nil && root.pointer(toPage: 3) == nil)
        #expect(PackTableRoot.words(nextIndex: 3000, pages: [(2, pointer)]) == root.node.words)
        #expect(try MapNodeFormat.decode(golden, at: pointer, codec: codec).words == page.node.words)
    }

    @Test func goldenMapPacksVerifyAlone() throws {
        let tree = try Golden.bytes("map/v1/tree-pack")
        let identity = PackIdentity(
            volume: FormatSamples.volume, name: PackName(generation: 2, start: 3, number: 0x105))
        let nodes = try MapPackFormat.decode(tree, expecting: identity, codec: codec)
        #expect(nodes.map(\.place.kind) == [.leaf, .inner])
        let body = Array(tree.dropLast(64))
        #expect(
            MapPackFormat.encode(nodes: body, nodeCount: 2, identity: identity, contents: .tree, foldNumber: 77)
                == tree)
        FormatSamples.expectRefusal(ofDamageTo: tree) {
            _ = try MapPackFormat.decode($0, expecting: identity, codec: codec)
        }
        var other = identity
        other.name.number += 1
        #expect(throws: EngineError.self) { try MapPackFormat.decode(tree, expecting: other, codec: codec) }
        let table = try MapPackFormat.decode(
            try Golden.bytes("map/v1/table-pack"), expecting: other, codec: codec)
        #expect(table.map(\.place.kind) == [.tablePage, .tableRoot])
    }

    @Test(arguments: ["leaf", "inner", "table-page", "table-root"])
    func damageIsNeverBelieved(name: String) throws {
        let golden = try Golden.bytes("map/v1/\(name)")
        FormatSamples.expectRefusal(ofDamageTo: golden) { _ = try MapNodeFormat.decode($0, codec: codec) }
        let pointer = NodePointer(
            owner: VolumeID(rawValue: 1), pack: FormatSamples.name, byteOffset: 0, byteCount: UInt32(golden.count),
            checksum: CRC32C.checksum(golden))
        #expect(throws: EngineError.self) { try MapNodeFormat.decode(golden, at: pointer, codec: codec) }
    }

    /// Contents no writer makes, under checksums that hold.
    @Test func nonsenseWithAGoodChecksumIsRefused() throws {
        let place = FramePlace(packIndex: 0, byteOffset: 0, byteCount: 64)
        func entry(_ block: Int, _ count: Int, flags: UInt64 = 0) -> MapEntry {
            let good = MapEntry(blockInLeaf: block, count: count, firstInFrame: 0, birth: 1, place: place)
            return MapEntry(word0: good.word0 | flags, word1: good.word1)
        }
        let empty = MapEntry(word0: entry(0, 1).word0, word1: 0)
        let beyond = MapEntry(word0: UInt64(1020) << 54 | UInt64(15) << 50, word1: place.word)
        let leaves = [
            [], [entry(5, 2), entry(6, 1)], [entry(9, 1), entry(5, 1)], [entry(0, 1, flags: 1)], [empty], [beyond],
        ]
        for entries in leaves {
            let bad = node(
                .leaf, level: 0, index: 0, packIndex: 0, count: entries.count, words: LeafNode.words(entries))
            #expect(throws: EngineError.self) { try encode(bad) }
        }
        var words = [UInt64](repeating: 0, count: InnerNode.bitmapWords + InnerNode.childWords)
        #expect(throws: EngineError.self) {
            try encode(node(.inner, level: 1, index: 0, packIndex: 0, count: 1, words: words))
        }
        words[0] = 1  // Present, but of no bytes.
        #expect(throws: EngineError.self) {
            try encode(node(.inner, level: 1, index: 0, packIndex: 0, count: 1, words: words))
        }
        let level = node(.inner, level: 4, index: 0, packIndex: 0, count: 0, words: [0, 0, 0, 0])
        #expect(throws: EngineError.self) { try encode(level) }
    }

    @Test func treesAreAsHighAsTheVolumeNeeds() {
        let leaf: UInt64 = 1024
        #expect(MapGeometry.height(blockCount: 1) == 1)
        #expect(MapGeometry.height(blockCount: 256 * leaf) == 1)
        #expect(MapGeometry.height(blockCount: 256 * leaf + 1) == 2)
        #expect(MapGeometry.height(blockCount: 65536 * leaf) == 2)
        #expect(MapGeometry.height(blockCount: 65536 * leaf + 1) == 3)
        #expect(MapGeometry.height(blockCount: Geometry.largestVolumeByteCount / 4096) == 3)
        #expect(MapGeometry.blocksBelow(level: 3) == Geometry.largestVolumeByteCount / 4096)
    }
}
