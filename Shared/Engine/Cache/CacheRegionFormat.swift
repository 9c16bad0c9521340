// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// One file of the read cache: a header, frames one after the other (`CachedFrameFormat`), and, once it is full, the
/// list of them at its end. Little-endian; docs/formats/read-cache.md.
///
///     header            trailer: the last 64 bytes; the list ends where it begins
///      0  4  magic "SLcr"        0  4  magic "SLci"
///      4  2  version, 1          4  2  version, 1
///      6  1  queue               6  2  0
///      7  1  0                   8  8  sequence, as in the header
///      8  8  sequence           16  4  number of frames
///     16  4  length of the file 20  4  CRC32C of the list
///     20 40  0                  24 36  0
///     60  4  CRC32C of 0 ..< 60 60  4  CRC32C of 0 ..< 60
///
///     a frame in the list: 8 hash, 4 offset / 64, 4 length / 64
///
/// The sequence rises by one with each region begun: it orders the regions by age, and a list whose sequence is not
/// the header's is of an earlier life. Nothing is ever synced; what a crash tore does not verify. Version history: 1.
package enum CacheRegionFormat {
    static let magic = [UInt8].magic("SLcr")
    static let trailerMagic = [UInt8].magic("SLci")
    static let version: UInt16 = 1
    package static let headerByteCount = 64
    static let trailerByteCount = 64
    static let entryByteCount = 16

    package struct Entry: Equatable, Sendable {
        var hash: UInt64
        var byteOffset: Int
        var byteCount: Int
    }

    package struct Header: Equatable, Sendable {
        var queue: CacheQueue
        var sequence: UInt64
    }

    static func encode(_ header: Header, regionByteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: magic)
        bytes.append(integer: version)
        bytes.append(header.queue.rawValue)
        bytes.append(0)
        bytes.append(integer: header.sequence)
        bytes.append(integer: UInt32(regionByteCount))
        bytes.append(zeros: 40)
        bytes.append(integer: CRC32C.checksum(bytes))
        return bytes
    }

    /// nil if nothing was ever written there.
    static func decodeHeader(_ bytes: [UInt8], regionByteCount: Int) throws(EngineError) -> Header? {
        if bytes.prefix(headerByteCount).allSatisfy({ $0 == 0 }) { return nil }
        var reader = ByteReader(bytes, format: .cacheRegion)
        try reader.expect(magic: magic)
        try reader.expect(version: version)
        let queue: UInt8 = try reader.integer()
        try reader.expectZeros(1)
        let sequence: UInt64 = try reader.integer()
        let byteCount: UInt32 = try reader.integer()
        try reader.expectZeros(40)
        try expectChecksum(
            .cacheRegion, try reader.integer(), found: CRC32C.checksum(bytes, in: 0..<headerByteCount - 4))
        guard let queue = CacheQueue(rawValue: queue) else { throw .malformed(.cacheRegion, reason: "queue \(queue)") }
        guard byteCount == UInt32(regionByteCount) else {
            throw .malformed(.cacheRegion, reason: "made for a file of \(byteCount) bytes")
        }
        return Header(queue: queue, sequence: sequence)
    }

    // MARK: The list

    /// Bytes that list and trailer take at the region's end.
    static func tailByteCount(entryCount: Int) -> Int { entryCount * entryByteCount + trailerByteCount }

    /// Map nodes may be small, but a region does not hold more of anything than this.
    static func entryLimit(regionByteCount: Int) -> Int { regionByteCount / 1024 }

    /// The most that a tail can take: what is read when the number of frames is not known.
    static func largestTailByteCount(regionByteCount: Int) -> Int {
        tailByteCount(entryCount: entryLimit(regionByteCount: regionByteCount))
    }

    /// What is read to find a list: first what is enough for frames, then for anything.
    static func tailByteCounts(regionByteCount: Int) -> [Int] {
        let frameCount = (regionByteCount - headerByteCount) / (CachedFrameFormat.smallestByteCount + entryByteCount)
        return [tailByteCount(entryCount: frameCount), largestTailByteCount(regionByteCount: regionByteCount)]
    }

    static func encodeTail(_ entries: [Entry], sequence: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(tailByteCount(entryCount: entries.count))
        for entry in entries {
            bytes.append(integer: entry.hash)
            bytes.append(integer: UInt32(entry.byteOffset / CachedFrameFormat.alignment))
            bytes.append(integer: UInt32(entry.byteCount / CachedFrameFormat.alignment))
        }
        let checksum = CRC32C.checksum(bytes)
        var trailer: [UInt8] = []
        trailer.append(integer: trailerMagic)
        trailer.append(integer: version)
        trailer.append(zeros: 2)
        trailer.append(integer: sequence)
        trailer.append(integer: UInt32(entries.count))
        trailer.append(integer: checksum)
        trailer.append(zeros: 36)
        trailer.append(integer: CRC32C.checksum(trailer))
        return bytes + trailer
    }

    /// - Parameter bytes: what the region ends with; the trailer is at their end.
    static func decodeTail(
        _ bytes: [UInt8], sequence: UInt64, regionByteCount: Int
    ) throws(EngineError) -> [Entry] {
        guard bytes.count >= trailerByteCount else { throw .malformed(.cacheRegion, reason: "no room for a trailer") }
        let start = bytes.count - trailerByteCount
        var reader = ByteReader(bytes, from: start, format: .cacheRegion)
        try reader.expect(magic: trailerMagic)
        try reader.expect(version: version)
        try reader.expectZeros(2)
        guard try reader.integer(UInt64.self) == sequence else {
            throw .misplaced(.cacheRegion, reason: "a list of an earlier life of the region")
        }
        let count = Int(try reader.integer(UInt32.self))
        let checksum: UInt32 = try reader.integer()
        try reader.expectZeros(36)
        try expectChecksum(
            .cacheRegion, try reader.integer(), found: CRC32C.checksum(bytes, in: start..<bytes.count - 4))
        guard count <= start / entryByteCount else { throw .tooLarge(.cacheRegion, byteCount: count * entryByteCount) }
        let first = start - count * entryByteCount
        try expectChecksum(.cacheRegion, checksum, found: CRC32C.checksum(bytes, in: first..<start))
        let limit = regionByteCount - tailByteCount(entryCount: count)
        return try entries(in: bytes, from: first, count: count, limit: limit)
    }

    private static func entries(
        in bytes: [UInt8], from first: Int, count: Int, limit: Int
    ) throws(EngineError) -> [Entry] {
        var reader = ByteReader(bytes, from: first, format: .cacheRegion)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let hash: UInt64 = try reader.integer()
            let byteOffset = Int(try reader.integer(UInt32.self)) * CachedFrameFormat.alignment
            let byteCount = Int(try reader.integer(UInt32.self)) * CachedFrameFormat.alignment
            guard byteOffset >= headerByteCount, byteCount <= CachedFrameFormat.largestByteCount,
                byteCount >= CachedFrameHeader.byteCount, byteOffset + byteCount <= limit
            else { throw .malformed(.cacheRegion, reason: "a frame of \(byteCount) bytes at \(byteOffset)") }
            entries.append(Entry(hash: hash, byteOffset: byteOffset, byteCount: byteCount))
        }
        return entries
    }
}

/// Frames that were read once pass through `probation`; those that were read again are kept in `main`.
package enum CacheQueue: UInt8, Sendable {
    case probation = 0
    case main = 1
}
