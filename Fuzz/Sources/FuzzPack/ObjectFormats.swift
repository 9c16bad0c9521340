// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Wire

@testable import Engine

/// What packs are made of.
enum ObjectFormats {
    private static let identity = FuzzPack.identity

    static func frame(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.frame(bytes) : bytes
        let codec = ZstdCodec()
        if let header = try? FrameHeader(decoding: bytes) {
            precondition((try? FrameHeader(decoding: header.encoded())) == header, "a header is not stable")
        }
        guard let contents = try? FrameFormat.decode(bytes, expecting: nil, codec: codec) else { return }
        check(contents)
        for level in [0, 1] {
            var encoded: [UInt8] = []
            let frame = PackPlan.Frame(blocks: contents.blocks, checksums: contents.checksums)
            let plain = Array(contents.bytes)
            do {
                try unsafe plain.withUnsafeBytes {
                    try unsafe FrameFormat.encode(
                        frame, of: identity, plaintext: $0, level: level, codec: codec, into: &encoded)
                }
                let again = try FrameFormat.decode(encoded, expecting: identity, codec: codec)
                precondition(again.blocks == contents.blocks && again.bytes.elementsEqual(contents.bytes), "unstable")
            } catch { preconditionFailure("a frame that decodes does not encode: \(error)") }
        }
    }

    private static func check(_ contents: FrameContents) {
        precondition((1...Geometry.blocksPerFrame).contains(contents.blocks.count), "the number of blocks")
        precondition(contents.checksums.count == contents.blocks.count, "the number of checksums")
        precondition(contents.bytes.count == contents.blocks.count * Geometry.blockByteCount, "the length")
        let blocks = contents.blocks
        precondition(zip(blocks, blocks.dropFirst()).allSatisfy { $0 < $1 }, "blocks are not in order")
    }

    static func pack(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.pack(bytes) : bytes
        guard let pack = try? PackFormat.decode(bytes, expecting: identity, codec: ZstdCodec()) else { return }
        for frame in pack.frames { check(frame) }
        let footer = pack.footer.encoded()
        precondition(footer.elementsEqual(bytes.suffix(PackFooter.byteCount)), "a footer is not stable")
    }

    static func directory(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.directory(bytes) : bytes
        guard let (entries, runs) = try? PackDirectoryFormat.decode(bytes, expecting: identity) else { return }
        let encoded = PackDirectoryFormat.encode(identity: identity, entries: entries, zeroRuns: runs)
        precondition(encoded == bytes, "a directory encodes to other bytes")
        let directory = try? PackFormat.decodeDirectory(bytes, expecting: identity.volume, identity.name)
        precondition(directory?.frames.count == entries.count, "the two views of a directory differ")
    }

    static func plan(_ bytes: [UInt8], isSealed: Bool) {
        guard let plan = try? PackPlan(decoding: bytes) else { return }
        precondition(plan.encoded() == bytes, "a plan encodes to other bytes")
    }

    static func mapNode(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.mapNode(bytes) : bytes
        guard let node = try? MapNodeFormat.decode(bytes, codec: ZstdCodec()) else { return }
        check(node)
    }

    static func mapPack(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.mapPack(bytes) : bytes
        for node in (try? MapPackFormat.decode(bytes, expecting: identity, codec: ZstdCodec())) ?? [] { check(node) }
    }

    /// Looks at everything in a node, as those do who trust it.
    private static func check(_ node: MapNode) {
        switch node.place.kind {
        case .leaf:
            let leaf = LeafNode(node)
            let entries = (0..<node.count).map(leaf.entry)
            precondition(LeafNode.words(entries) == node.words, "a leaf is not stable")
            for block in [0, 1, Geometry.blocksPerLeaf - 1] {
                precondition(
                    (0...node.count).contains(leaf.firstEntry(endingAfter: block)), "no such entry")
            }
        case .inner:
            let inner = InnerNode(node)
            let children = (0..<InnerNode.fanOut).map(inner.child)
            precondition(InnerNode.words(children) == node.words, "an inner node is not stable")
            precondition(children.count { $0 != nil } == node.count, "the number of children")
            _ = inner.firstChild(from: InnerNode.fanOut / 2)
        case .tablePage:
            let page = PackTablePage(node)
            let rows = (0..<PackTablePage.rowLimit).map(page.row)
            precondition(PackTablePage.words(rows) == node.words, "a page is not stable")
        case .tableRoot:
            let root = PackTableRoot(node)
            for position in 0..<node.count {
                precondition(root.pointer(toPage: root.pageNumber(at: position)) != nil, "a page that is not found")
            }
        }
        var encoded: [UInt8] = []
        do throws(EngineError) {
            _ = try MapNodeFormat.encode(node, codec: ZstdCodec(), into: &encoded)
        } catch { preconditionFailure("a node that decodes does not encode: \(error)") }
    }

    static func frameContents(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.frameContents(bytes) : bytes
        guard let contents = try? FrameContents(decoding: bytes) else { return }
        check(contents)
        precondition(contents.encoded() == bytes, "contents encode to other bytes")
    }
}
