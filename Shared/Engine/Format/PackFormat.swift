// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A data pack: frames, then the directory, then this footer (docs/formats/pack.md). Little-endian.
///
///     offset size
///      0      4   magic "SLpf"
///      4      2   version, 1
///      6      2   0
///      8      8   volume id
///     16     12   pack name
///     28      4   frame count
///     32      8   first journal sequence
///     40      8   last journal sequence
///     48      4   offset of the directory in the pack
///     52      4   length of the directory
///     56      4   CRC32C of the directory
///     60      4   CRC32C of bytes 0 ..< 60
///
/// The footer is last and of fixed size, so a pack can be read with nothing but its name and length, and written in
/// one pass. Version history: 1, first.
package struct PackFooter: Equatable, Sendable {
    package static let byteCount = 64
    static let magic = [UInt8].magic("SLpf")
    static let version: UInt16 = 1

    package var identity: PackIdentity
    package var frameCount: UInt32
    package var firstSequence: JournalSequence
    package var lastSequence: JournalSequence
    package var directoryOffset: UInt32
    package var directoryByteCount: UInt32
    package var directoryChecksum: UInt32

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: Self.magic)
        bytes.append(integer: Self.version)
        bytes.append(zeros: 2)
        bytes.append(integer: identity.volume.rawValue)
        bytes.append(name: identity.name)
        bytes.append(integer: frameCount)
        bytes.append(integer: firstSequence.rawValue)
        bytes.append(integer: lastSequence.rawValue)
        bytes.append(integer: directoryOffset)
        bytes.append(integer: directoryByteCount)
        bytes.append(integer: directoryChecksum)
        bytes.append(integer: CRC32C.checksum(bytes))
        return bytes
    }
}

package enum PackFormat {
    /// - Parameter bytes: the last 64 bytes of the pack.
    package static func decodeFooter(
        _ bytes: [UInt8], expecting identity: PackIdentity, packByteCount: UInt64
    ) throws(EngineError) -> PackFooter {
        guard bytes.count == PackFooter.byteCount else {
            throw .malformed(.pack, reason: "\(bytes.count) footer bytes")
        }
        var reader = ByteReader(bytes, format: .pack)
        try reader.expect(magic: PackFooter.magic)
        try reader.expect(version: PackFooter.version)
        try reader.expectZeros(2)
        let footer = PackFooter(
            identity: PackIdentity(volume: VolumeID(rawValue: try reader.integer()), name: try reader.packName()),
            frameCount: try reader.integer(), firstSequence: JournalSequence(try reader.integer()),
            lastSequence: JournalSequence(try reader.integer()), directoryOffset: try reader.integer(),
            directoryByteCount: try reader.integer(), directoryChecksum: try reader.integer())
        try expectChecksum(
            .pack, try reader.integer(), found: CRC32C.checksum(bytes, in: 0..<PackFooter.byteCount - 4))
        guard footer.identity == identity else {
            throw .misplaced(.pack, reason: "of \(footer.identity.volume) pack \(footer.identity.name)")
        }
        let directoryEnd = UInt64(footer.directoryOffset) + UInt64(footer.directoryByteCount)
        guard directoryEnd + UInt64(PackFooter.byteCount) == packByteCount else {
            throw .malformed(.pack, reason: "a directory up to \(directoryEnd) in \(packByteCount) bytes")
        }
        return footer
    }

    /// - Parameter bytes: exactly the directory, as the pack's reference places it.
    package static func decodeDirectory(
        _ bytes: [UInt8], expecting volume: VolumeID, _ name: PackName
    ) throws(EngineError) -> PackDirectory {
        let (entries, runs) = try PackDirectoryFormat.decode(
            bytes, expecting: PackIdentity(volume: volume, name: name))
        return PackDirectory(
            volume: volume, name: name,
            frames: entries.map {
                PackDirectory.Frame(byteOffset: $0.byteOffset, byteCount: $0.byteCount, blocks: $0.blocks)
            },
            zeroRuns: runs)
    }

    /// Reads a whole pack with no help from map or HEAD, checking everything in it.
    package static func decode(
        _ bytes: [UInt8], expecting identity: PackIdentity, codec: ZstdCodec
    ) throws(EngineError) -> (footer: PackFooter, frames: [FrameContents], zeroRuns: [BlockRange]) {
        guard bytes.count >= PackFooter.byteCount else { throw .malformed(.pack, reason: "\(bytes.count) bytes") }
        let footer = try decodeFooter(
            Array(bytes.suffix(PackFooter.byteCount)), expecting: identity, packByteCount: UInt64(bytes.count))
        let start = Int(footer.directoryOffset)
        let directory = Array(bytes[start..<start + Int(footer.directoryByteCount)])
        try expectChecksum(.packDirectory, footer.directoryChecksum, found: CRC32C.checksum(directory))
        let (entries, runs) = try PackDirectoryFormat.decode(directory, expecting: identity)
        let end = entries.last.map { Int($0.byteOffset) + Int($0.byteCount) } ?? 0
        guard entries.count == Int(footer.frameCount), end == start else {
            throw .malformed(.pack, reason: "\(entries.count) frames up to \(end), the directory at \(start)")
        }
        var frames: [FrameContents] = []
        for entry in entries {
            let range = Int(entry.byteOffset)..<Int(entry.byteOffset) + Int(entry.byteCount)
            try expectChecksum(.frame, entry.storedChecksum, found: CRC32C.checksum(bytes, in: range))
            let frame = try FrameFormat.decode(bytes, in: range, expecting: identity, codec: codec)
            guard frame.blocks == entry.blocks, frame.checksums == entry.checksums else {
                throw .misplaced(.frame, reason: "not the blocks of its directory entry")
            }
            frames.append(frame)
        }
        return (footer, frames, runs)
    }
}
