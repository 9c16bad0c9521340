// SPDX-License-Identifier: Apache-2.0

/// What a region's file turned out to hold when the cache found it again.
package enum CacheRegionScan: Equatable, Sendable {
    /// Nothing was ever written there.
    case empty
    case frames(CacheRegionFormat.Header, [CacheRegionFormat.Entry])
    /// To be thrown away, and why.
    case damaged(EngineError)
    /// The disk did not give it.
    case unreadable

    /// Reads header and list; a region without a list is gone through frame by frame, as far as its headers tell of
    /// this life of it. Blocks, as `read` does: not for event loops.
    /// - Parameter read: the bytes from an offset on; nil if they cannot be had.
    package static func scan(
        regionByteCount: Int, read: (_ byteOffset: Int, _ byteCount: Int) -> [UInt8]?
    ) -> CacheRegionScan {
        guard let start = read(0, CacheRegionFormat.headerByteCount) else { return .unreadable }
        do throws(EngineError) {
            guard let header = try CacheRegionFormat.decodeHeader(start, regionByteCount: regionByteCount) else {
                return .empty
            }
            for tail in CacheRegionFormat.tailByteCounts(regionByteCount: regionByteCount) {
                guard let end = read(regionByteCount - tail, tail) else { return .unreadable }
                if let entries = try? CacheRegionFormat.decodeTail(
                    end, sequence: header.sequence, regionByteCount: regionByteCount)
                {
                    return .frames(header, entries)
                }
            }
            guard let bytes = read(0, regionByteCount) else { return .unreadable }
            return .frames(header, frames(in: bytes, sequence: header.sequence))
        } catch {
            return .damaged(error)
        }
    }

    /// The frames from the start on whose headers follow each other. Their payloads are checked when they are read.
    private static func frames(in bytes: [UInt8], sequence: UInt64) -> [CacheRegionFormat.Entry] {
        var entries: [CacheRegionFormat.Entry] = []
        var byteOffset = CacheRegionFormat.headerByteCount
        while byteOffset + CachedFrameHeader.byteCount <= bytes.count,
            let header = try? CachedFrameHeader(decoding: bytes, from: byteOffset),
            header.regionSequence == UInt32(truncatingIfNeeded: sequence)
        {
            let end = byteOffset + header.recordByteCount
            // Where the list will be no frame is.
            guard end + CacheRegionFormat.tailByteCount(entryCount: entries.count + 1) <= bytes.count else { break }
            entries.append(
                .init(hash: header.frame.cacheHash, byteOffset: byteOffset, byteCount: header.recordByteCount))
            byteOffset = end
        }
        return entries
    }
}
