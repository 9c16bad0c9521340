// SPDX-License-Identifier: Apache-2.0
import Wire

/// A node as it lies in a map pack: this header, then the body, which zstd may have compressed. Little-endian;
/// docs/formats/map.md has the bodies.
///
///     offset size
///      0      4   magic "SLmn"
///      4      1   version, 1
///      5      1   kind: 1 leaf, 2 inner, 3 pack-table page, 4 pack-table root
///      6      1   level
///      7      1   codec: 0 raw, 1 zstd
///      8      8   volume id of the writer
///     16      8   index of the node in its level
///     24      8   birth: number of the fold that wrote it
///     32      8   lineage
///     40      4   pack-table index of the pack it lies in; table nodes: FFFFFFFF
///     44      4   count of entries, children or rows
///     48      4   length of the body, decompressed
///     52      4   length of the body as stored
///     56      4   CRC32C of the body as stored
///     60      4   CRC32C of bytes 0 ..< 60
///
/// A pointer's checksum covers header and stored body. Version history: 1, first.
enum MapNodeFormat {
    static let magic = [UInt8].magic("SLmn")
    static let version: UInt8 = 1
    static let headerByteCount = 64
    /// Of a body: a pack-table root for ten times the packs of a full 64 TiB volume stays below it.
    static let bodyByteLimit = 16 << 20
    private static let level = 1

    /// Appends the node; answers its length and checksum.
    static func encode(
        _ node: MapNode, codec: ZstdCodec, into output: inout [UInt8]
    ) throws(EngineError) -> (byteCount: UInt32, checksum: UInt32) {
        var plain: [UInt8] = []
        plain.reserveCapacity(node.words.count * 8)
        for word in node.words { plain.append(integer: word) }
        guard plain.count <= bodyByteLimit else { throw .tooLarge(.mapNode, byteCount: plain.count) }
        let source = unsafe plain.span.bytes
        let isCompressed = try unsafe source.withUnsafeBytes { (bytes) throws(EngineError) in
            try unsafe codec.compress(bytes, level: level)
        }
        let body = isCompressed ? Array(codec.compressed) : plain

        let start = output.count
        output.append(integer: magic)
        output.append(version)
        output.append(node.place.kind.rawValue)
        output.append(node.place.level)
        output.append(isCompressed ? 1 : 0)
        output.append(integer: node.volume.rawValue)
        output.append(integer: node.place.index)
        output.append(integer: node.birth)
        output.append(integer: node.lineage)
        output.append(integer: node.packIndex)
        output.append(integer: UInt32(node.count))
        output.append(integer: UInt32(plain.count))
        output.append(integer: UInt32(body.count))
        output.append(integer: CRC32C.checksum(body))
        output.append(integer: CRC32C.checksum(output, in: start..<output.count))
        output.append(contentsOf: body)

        // What was written is read again before anyone relies on it.
        let stored = Array(output[start...])
        let readBack = try decode(stored, codec: codec)
        guard readBack.place == node.place, readBack.count == node.count, readBack.words == node.words else {
            throw .malformed(.mapNode, reason: "does not decode to itself")
        }
        return (UInt32(stored.count), CRC32C.checksum(stored))
    }

    /// - Parameter bytes: exactly what the pointer names.
    static func decode(
        _ bytes: [UInt8], at pointer: NodePointer, codec: ZstdCodec
    ) throws(EngineError) -> MapNode {
        guard bytes.count == Int(pointer.byteCount) else {
            throw .malformed(.mapNode, reason: "\(bytes.count) bytes for \(pointer.byteCount)")
        }
        try expectChecksum(.mapNode, pointer.checksum, found: CRC32C.checksum(bytes))
        let node = try decode(bytes, codec: codec)
        guard node.volume == pointer.owner else {
            throw .misplaced(.mapNode, reason: "of \(node.volume) in a pack of \(pointer.owner)")
        }
        return node
    }

    static func decode(_ bytes: [UInt8], codec: ZstdCodec) throws(EngineError) -> MapNode {
        var reader = ByteReader(bytes, format: .mapNode)
        try reader.expect(magic: magic)
        try reader.expect(version: version)
        guard bytes.count >= headerByteCount else { throw .malformed(.mapNode, reason: "ends inside its header") }
        let headerChecksum = CRC32C.checksum(bytes, in: 0..<headerByteCount - 4)
        let kindByte: UInt8 = try reader.integer()
        let level: UInt8 = try reader.integer()
        let codecByte: UInt8 = try reader.integer()
        let volume = VolumeID(rawValue: try reader.integer())
        let index: UInt64 = try reader.integer()
        let birth: UInt64 = try reader.integer()
        let lineage: UInt64 = try reader.integer()
        let packIndex: UInt32 = try reader.integer()
        let count = Int(try reader.integer(UInt32.self))
        let plainByteCount = Int(try reader.integer(UInt32.self))
        let storedByteCount = Int(try reader.integer(UInt32.self))
        let bodyChecksum: UInt32 = try reader.integer()
        try expectChecksum(.mapNode, try reader.integer(), found: headerChecksum)
        guard let kind = MapNode.Kind(rawValue: kindByte), isLevel(level, of: kind), codecByte <= 1 else {
            throw .malformed(.mapNode, reason: "kind \(kindByte), level \(level), codec \(codecByte)")
        }
        guard storedByteCount == bytes.count - headerByteCount, plainByteCount == bodyByteCount(of: kind, count: count),
            codecByte == 1 || plainByteCount == storedByteCount
        else { throw .malformed(.mapNode, reason: "body of \(storedByteCount) bytes for \(count) of kind \(kind)") }
        try expectChecksum(
            .mapNode, bodyChecksum, found: CRC32C.checksum(bytes, in: headerByteCount..<bytes.count))
        let plain =
            codecByte == 1
            ? try codec.decompress(bytes[headerByteCount...], byteCount: plainByteCount)
            : Array(bytes[headerByteCount...])
        var words = ByteReader(plain, format: .mapNode)
        let node = MapNode(
            place: MapNode.Place(kind: kind, level: level, index: index), volume: volume, birth: birth,
            lineage: lineage, packIndex: packIndex, count: count, words: try words.integers(plain.count / 8))
        try check(node)
        return node
    }

    private static func isLevel(_ level: UInt8, of kind: MapNode.Kind) -> Bool {
        switch kind {
        case .leaf, .tablePage: level == 0
        case .inner: (1...UInt8(MapGeometry.highestLevel)).contains(level)
        case .tableRoot: level == 1
        }
    }

    /// nil if there cannot be so many.
    private static func bodyByteCount(of kind: MapNode.Kind, count: Int) -> Int? {
        let words: Int
        switch kind {
        case .leaf: words = count <= Geometry.blocksPerLeaf ? count * 2 : -1
        case .inner: words = count <= InnerNode.fanOut ? InnerNode.bitmapWords + count * InnerNode.childWords : -1
        case .tablePage:
            words =
                count <= PackTablePage.rowLimit ? PackTablePage.bitmapWords + count * PackTablePage.rowWords : -1
        case .tableRoot: words = PackTableRoot.headWords + count * PackTableRoot.pageWords
        }
        return words >= 0 && words <= bodyByteLimit / 8 ? words * 8 : nil
    }

    private static func check(_ node: MapNode) throws(EngineError) {
        switch node.place.kind {
        case .leaf: try LeafNode(node).check()
        case .inner: try InnerNode(node).check()
        case .tablePage: try PackTablePage(node).check()
        case .tableRoot: try PackTableRoot(node).check()
        }
    }
}
