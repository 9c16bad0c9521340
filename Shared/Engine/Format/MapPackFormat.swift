// SPDX-License-Identifier: Apache-2.0
import Wire

/// A map pack: nodes one after another, then this footer (docs/formats/map.md). Nodes carry their length, so the
/// pack can be walked and verified alone. Little-endian.
///
///     offset size
///      0      4   magic "SLmf"
///      4      2   version, 1
///      6      2   contents: 1 tree, 2 pack table
///      8      8   volume id
///     16     12   pack name
///     28      4   node count
///     32      8   number of the fold that wrote it
///     40      8   length of the nodes
///     48      4   CRC32C of the nodes
///     52      8   0
///     60      4   CRC32C of bytes 0 ..< 60
///
/// Tree and pack table never share a pack: the table has a row for each tree pack, so those must be complete before
/// the table is written; the table's own packs are named by its root. Version history: 1, first.
enum MapPackFormat {
    enum Contents: UInt16 { case tree = 1, table = 2 }

    static let magic = [UInt8].magic("SLmf")
    static let version: UInt16 = 1
    static let footerByteCount = 64

    static func encode(
        nodes: [UInt8], nodeCount: Int, identity: PackIdentity, contents: Contents, foldNumber: UInt64
    ) -> [UInt8] {
        var bytes = nodes
        let start = bytes.count
        bytes.append(integer: magic)
        bytes.append(integer: version)
        bytes.append(integer: contents.rawValue)
        bytes.append(integer: identity.volume.rawValue)
        bytes.append(name: identity.name)
        bytes.append(integer: UInt32(nodeCount))
        bytes.append(integer: foldNumber)
        bytes.append(integer: UInt64(nodes.count))
        bytes.append(integer: CRC32C.checksum(nodes))
        bytes.append(zeros: 8)
        bytes.append(integer: CRC32C.checksum(bytes, in: start..<bytes.count))
        return bytes
    }

    /// Verifies a whole pack and each node in it.
    static func decode(
        _ bytes: [UInt8], expecting identity: PackIdentity, codec: ZstdCodec
    ) throws(EngineError) -> [MapNode] {
        guard bytes.count >= footerByteCount else { throw .malformed(.mapPack, reason: "\(bytes.count) bytes") }
        let end = bytes.count - footerByteCount
        var footer = ByteReader(bytes, from: end, format: .mapPack)
        try footer.expect(magic: magic)
        try footer.expect(version: version)
        let contents: UInt16 = try footer.integer()
        let found = PackIdentity(volume: VolumeID(rawValue: try footer.integer()), name: try footer.packName())
        let nodeCount = Int(try footer.integer(UInt32.self))
        let foldNumber: UInt64 = try footer.integer()
        let nodesByteCount: UInt64 = try footer.integer()
        let nodesChecksum: UInt32 = try footer.integer()
        try footer.expectZeros(8)
        try expectChecksum(
            .mapPack, try footer.integer(), found: CRC32C.checksum(bytes, in: end..<bytes.count - 4))
        guard found == identity else { throw .misplaced(.mapPack, reason: "of \(found.volume) pack \(found.name)") }
        guard let contents = Contents(rawValue: contents), nodesByteCount == UInt64(end) else {
            throw .malformed(.mapPack, reason: "\(nodesByteCount) bytes of nodes in \(end)")
        }
        try expectChecksum(.mapPack, nodesChecksum, found: CRC32C.checksum(bytes, in: 0..<end))

        var nodes: [MapNode] = []
        var offset = 0
        while offset < end {
            var reader = ByteReader(bytes, from: offset, upTo: end, format: .mapNode)
            _ = try reader.bytes(52)
            let stored = Int(try reader.integer(UInt32.self))
            let length = MapNodeFormat.headerByteCount + stored
            guard length <= end - offset else { throw .malformed(.mapPack, reason: "a node beyond the end") }
            let node = try MapNodeFormat.decode(Array(bytes[offset..<offset + length]), codec: codec)
            let isTree = node.place.kind == .leaf || node.place.kind == .inner
            guard node.volume == identity.volume, node.birth == foldNumber, isTree == (contents == .tree) else {
                throw .misplaced(.mapNode, reason: "a node that is not of this pack")
            }
            nodes.append(node)
            offset += length
        }
        guard nodes.count == nodeCount else { throw .malformed(.mapPack, reason: "\(nodes.count) nodes") }
        return nodes
    }
}
