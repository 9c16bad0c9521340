// SPDX-License-Identifier: Apache-2.0
import Wire

/// A map pack that is being filled.
struct OpenMapPack {
    struct Written {
        var node: MapNode
        var byteOffset: UInt32
        var byteCount: UInt32
        var checksum: UInt32
        var isWorthCaching: Bool

        func pointer(owner: VolumeID, pack: PackName) -> NodePointer {
            NodePointer(owner: owner, pack: pack, byteOffset: byteOffset, byteCount: byteCount, checksum: checksum)
        }
    }

    let contents: MapPackFormat.Contents
    /// Of a tree pack; packs of the table have none.
    let packIndex: UInt32
    private(set) var bytes: [UInt8] = []
    private(set) var written: [Written] = []

    init(contents: MapPackFormat.Contents, packIndex: UInt32) {
        self.contents = contents
        self.packIndex = packIndex
    }

    mutating func append(_ node: MapNode, isWorthCaching: Bool, codec: ZstdCodec) throws(EngineError) -> Written {
        let offset = bytes.count
        let (byteCount, checksum) = try MapNodeFormat.encode(node, codec: codec, into: &bytes)
        let entry = Written(
            node: node, byteOffset: UInt32(offset), byteCount: byteCount, checksum: checksum,
            isWorthCaching: isWorthCaching)
        written.append(entry)
        return entry
    }

    var endsWithRoot: Bool { written.last?.node.place.kind == .tableRoot }

    mutating func removeRoot() {
        guard endsWithRoot, let root = written.popLast() else { return }
        bytes.removeSubrange(Int(root.byteOffset)...)
    }
}
