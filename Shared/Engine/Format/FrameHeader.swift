// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Which pack a frame or directory belongs to. Stored inside, so that bytes of another pack are recognised.
package struct PackIdentity: Hashable, Sendable {
    package var volume: VolumeID
    package var name: PackName
    package init(volume: VolumeID, name: PackName) {
        self.volume = volume
        self.name = name
    }
}

/// What precedes a frame's payload. Little-endian; docs/formats/pack.md.
///
///     offset size
///      0      4   magic "SLfr"
///      4      1   version, 1
///      5      1   codec: 0 raw, 1 zstd
///      6      1   block count n, 1...16
///      7      1   flags: bit 0 contiguous; others 0
///      8      8   volume id
///     16     12   pack name: generation, start, number
///     28      4   payload length as stored
///     32      4   CRC32C of the payload as stored
///     36      4   CRC32C of bytes 0 ..< 36 and of all from 40 up to the payload
///     40      8   contiguous: the first block; else n block indexes of 8 bytes, ascending
///      +    4n    CRC32C of each block's plaintext
///
/// The fixed part comes first so that one read of 40 bytes tells the length of the rest. Version history: 1, first.
struct FrameHeader: Equatable {
    static let magic = [UInt8].magic("SLfr")
    static let version: UInt8 = 1
    static let fixedByteCount = 40
    static let checksumOffset = 36

    enum Codec: UInt8 { case raw = 0, zstd = 1 }

    var identity: PackIdentity
    var codec: Codec
    var blocks: [BlockIndex]
    var checksums: [UInt32]
    var payloadByteCount: Int
    var payloadChecksum: UInt32

    var isContiguous: Bool { BlockRules.isContiguous(blocks) }
    var byteCount: Int { Self.byteCount(blockCount: blocks.count, isContiguous: isContiguous) }

    static func byteCount(blockCount: Int, isContiguous: Bool) -> Int {
        fixedByteCount + 8 * (isContiguous ? 1 : blockCount) + 4 * blockCount
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        bytes.append(integer: Self.magic)
        bytes.append(Self.version)
        bytes.append(codec.rawValue)
        bytes.append(UInt8(blocks.count))
        bytes.append(isContiguous ? 1 : 0)
        bytes.append(integer: identity.volume.rawValue)
        bytes.append(name: identity.name)
        bytes.append(integer: UInt32(payloadByteCount))
        bytes.append(integer: payloadChecksum)
        var tail: [UInt8] = []
        for block in isContiguous ? blocks.prefix(1) : blocks[...] { tail.append(integer: block.rawValue) }
        for checksum in checksums { tail.append(integer: checksum) }
        bytes.append(integer: CRC32C.checksum(tail, in: 0..<tail.count, continuing: CRC32C.checksum(bytes)))
        return bytes + tail
    }

    /// - Parameter range: where in `bytes` it is; anything may follow it. nil for all.
    init(decoding bytes: [UInt8], in range: Range<Int>? = nil) throws(EngineError) {
        let start = range?.lowerBound ?? 0
        var reader = ByteReader(bytes, from: start, upTo: range?.upperBound, format: .frame)
        try reader.expect(magic: Self.magic)
        try reader.expect(version: Self.version)
        let codecByte: UInt8 = try reader.integer()
        let blockCount = Int(try reader.integer(UInt8.self))
        let flags: UInt8 = try reader.integer()
        guard let codec = Codec(rawValue: codecByte) else { throw .malformed(.frame, reason: "codec \(codecByte)") }
        guard (1...Geometry.blocksPerFrame).contains(blockCount) else {
            throw .malformed(.frame, reason: "\(blockCount) blocks")
        }
        guard flags & ~1 == 0 else { throw .malformed(.frame, reason: "flags \(flags)") }
        let isContiguous = flags & 1 == 1
        let end = start + Self.byteCount(blockCount: blockCount, isContiguous: isContiguous)
        guard range?.upperBound ?? bytes.count >= end else {
            throw .malformed(.frame, reason: "shorter than its header")
        }
        self.codec = codec
        identity = PackIdentity(volume: VolumeID(rawValue: try reader.integer()), name: try reader.packName())
        payloadByteCount = Int(try reader.integer(UInt32.self))
        payloadChecksum = try reader.integer()
        let found = CRC32C.checksum(
            bytes, in: start + Self.fixedByteCount..<end,
            continuing: CRC32C.checksum(bytes, in: start..<start + Self.checksumOffset))
        try expectChecksum(.frame, try reader.integer(), found: found)
        if isContiguous {
            let first = BlockIndex(try reader.integer())
            try BlockRules.check(BlockRange(start: first, count: UInt64(blockCount)), format: .frame)
            blocks = (0..<UInt64(blockCount)).map(first.advanced)
        } else {
            blocks = try reader.integers(blockCount, UInt64.self).map { BlockIndex($0) }
            try BlockRules.check(ascending: blocks, format: .frame)
            guard !BlockRules.isContiguous(blocks) else { throw .malformed(.frame, reason: "contiguous, not said so") }
        }
        checksums = try reader.integers(blockCount)
    }

    init(
        identity: PackIdentity, codec: Codec, blocks: [BlockIndex], checksums: [UInt32], payloadByteCount: Int,
        payloadChecksum: UInt32
    ) {
        self.identity = identity
        self.codec = codec
        self.blocks = blocks
        self.checksums = checksums
        self.payloadByteCount = payloadByteCount
        self.payloadChecksum = payloadChecksum
    }
}
