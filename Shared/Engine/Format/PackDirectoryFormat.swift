// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What a pack holds, as stored behind its frames (docs/formats/pack.md). Little-endian.
///
///     offset size
///      0      4   magic "SLpd"
///      4      2   version, 1
///      6      2   0
///      8      8   volume id
///     16     12   pack name
///     28      4   frame count
///     32      4   zero run count
///     36      4   length of the body
///     40      4   CRC32C of the body
///     44      4   CRC32C of bytes 0 ..< 44
///     48          body: per frame
///                   0   4   offset of the frame in the pack
///                   4   4   length as stored
///                   8   4   CRC32C of the frame as stored
///                  12   1   block count n
///                  13   1   flags: bit 0 contiguous
///                  14   2   0
///                  16   8   contiguous: the first block; else n indexes of 8 bytes
///                   +  4n   CRC32C of each block's plaintext
///                 then per zero run: start (8), count (8)
///
/// It checks itself, because it is fetched alone: opening a volume costs one ranged GET per unfolded pack.
/// Version history: 1, first.
package enum PackDirectoryFormat {
    static let magic = [UInt8].magic("SLpd")
    static let version: UInt16 = 1
    static let headerByteCount = 48

    /// A frame with everything the directory says about it.
    package struct Entry: Equatable, Sendable {
        package var byteOffset: UInt32
        package var byteCount: UInt32
        package var storedChecksum: UInt32
        package var blocks: [BlockIndex]
        package var checksums: [UInt32]
    }

    static func encode(identity: PackIdentity, entries: [Entry], zeroRuns: [BlockRange]) -> [UInt8] {
        var body: [UInt8] = []
        for entry in entries {
            let isContiguous = BlockRules.isContiguous(entry.blocks)
            body.append(integer: entry.byteOffset)
            body.append(integer: entry.byteCount)
            body.append(integer: entry.storedChecksum)
            body.append(UInt8(entry.blocks.count))
            body.append(isContiguous ? 1 : 0)
            body.append(zeros: 2)
            for block in isContiguous ? entry.blocks.prefix(1) : entry.blocks[...] {
                body.append(integer: block.rawValue)
            }
            for checksum in entry.checksums { body.append(integer: checksum) }
        }
        for run in zeroRuns {
            body.append(integer: run.start.rawValue)
            body.append(integer: run.count)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerByteCount + body.count)
        bytes.append(integer: magic)
        bytes.append(integer: version)
        bytes.append(zeros: 2)
        bytes.append(integer: identity.volume.rawValue)
        bytes.append(name: identity.name)
        bytes.append(integer: UInt32(entries.count))
        bytes.append(integer: UInt32(zeroRuns.count))
        bytes.append(integer: UInt32(body.count))
        bytes.append(integer: CRC32C.checksum(body))
        bytes.append(integer: CRC32C.checksum(bytes))
        bytes.append(contentsOf: body)
        return bytes
    }

    package static func decode(
        _ bytes: [UInt8], expecting identity: PackIdentity
    ) throws(EngineError) -> (entries: [Entry], zeroRuns: [BlockRange]) {
        var reader = ByteReader(bytes, format: .packDirectory)
        try reader.expect(magic: magic)
        try reader.expect(version: version)
        guard bytes.count >= headerByteCount else { throw .malformed(.packDirectory, reason: "ends inside its header") }
        let headerChecksum = CRC32C.checksum(bytes, in: 0..<headerByteCount - 4)
        try reader.expectZeros(2)
        let found = PackIdentity(volume: VolumeID(rawValue: try reader.integer()), name: try reader.packName())
        let entryCount = Int(try reader.integer(UInt32.self))
        let runCount = Int(try reader.integer(UInt32.self))
        let bodyByteCount = Int(try reader.integer(UInt32.self))
        let bodyChecksum: UInt32 = try reader.integer()
        try expectChecksum(.packDirectory, try reader.integer(), found: headerChecksum)
        guard found == identity else {
            throw .misplaced(.packDirectory, reason: "of \(found.volume) pack \(found.name)")
        }
        guard bodyByteCount == reader.remaining, entryCount <= bodyByteCount / 28, runCount <= bodyByteCount / 16 else {
            throw .malformed(.packDirectory, reason: "\(entryCount) frames in \(bodyByteCount) bytes")
        }
        try expectChecksum(
            .packDirectory, bodyChecksum, found: CRC32C.checksum(bytes, in: headerByteCount..<bytes.count))

        var entries: [Entry] = []
        entries.reserveCapacity(entryCount)
        var end: UInt32 = 0
        for _ in 0..<entryCount {
            let entry = try decodeEntry(&reader)
            guard entry.byteOffset == end else { throw .malformed(.packDirectory, reason: "frames are not adjacent") }
            end += entry.byteCount
            entries.append(entry)
        }
        var runs: [BlockRange] = []
        runs.reserveCapacity(runCount)
        for _ in 0..<runCount {
            runs.append(BlockRange(start: BlockIndex(try reader.integer()), count: try reader.integer()))
        }
        try reader.expectEnd()
        try BlockRules.check(frames: entries.map(\.blocks), zeroRuns: runs, format: .packDirectory)
        return (entries, runs)
    }

    private static func decodeEntry(_ reader: inout ByteReader) throws(EngineError) -> Entry {
        let byteOffset: UInt32 = try reader.integer()
        let byteCount: UInt32 = try reader.integer()
        let storedChecksum: UInt32 = try reader.integer()
        let count = Int(try reader.integer(UInt8.self))
        let flags: UInt8 = try reader.integer()
        try reader.expectZeros(2)
        guard (1...Geometry.blocksPerFrame).contains(count), flags <= 1 else {
            throw .malformed(.packDirectory, reason: "a frame of \(count) blocks, flags \(flags)")
        }
        try checkPlace(byteOffset: byteOffset, byteCount: byteCount, format: .packDirectory)
        let blocks: [BlockIndex]
        if flags == 1 {
            let first = BlockIndex(try reader.integer())
            try BlockRules.check(BlockRange(start: first, count: UInt64(count)), format: .packDirectory)
            blocks = (0..<UInt64(count)).map(first.advanced)
        } else {
            blocks = try reader.integers(count, UInt64.self).map { BlockIndex($0) }
            guard !BlockRules.isContiguous(blocks) else {
                throw .malformed(.packDirectory, reason: "contiguous, not said so")
            }
        }
        return Entry(
            byteOffset: byteOffset, byteCount: byteCount, storedChecksum: storedChecksum, blocks: blocks,
            checksums: try reader.integers(count))
    }

    /// A frame must lie where a map entry can point.
    static func checkPlace(
        byteOffset: UInt32, byteCount: UInt32, format: EngineError.FormatName
    ) throws(EngineError) {
        let unit = UInt32(FrameFormat.alignment)
        guard byteOffset % unit == 0, byteCount % unit == 0, byteCount > 0 else {
            throw .malformed(format, reason: "a frame at \(byteOffset) + \(byteCount) is not aligned")
        }
        guard byteOffset < UInt32(FrameFormat.offsetLimit), byteCount < UInt32(FrameFormat.lengthLimit) else {
            throw .tooLarge(format, byteCount: Int(byteOffset) + Int(byteCount))
        }
    }
}
