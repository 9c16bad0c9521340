// SPDX-License-Identifier: Apache-2.0
import Platform

/// One region as the cache knows it.
struct CacheRegion {
    enum State {
        /// May be written.
        case free
        case open
        case full
        /// What it holds is being carried over or forgotten.
        case recycling
        /// Nothing in it is known any more; it becomes something else once no operation uses its file.
        case leaving(Fate)
        /// Of a directory that is not used any more: the number may be given to another region.
        case gone
    }

    enum Fate {
        /// It is filled again.
        case free
        /// The directory does not have it any more; its file is left alone.
        case gone
        /// The same, and its file is removed.
        case discarded
    }

    /// Bytes of it that are on their way to the disk, or on the disk only half.
    struct Chunk {
        var token: CacheToken
        var buffer: IOBuffer
        var byteOffset: Int
        var byteCount: Int
    }

    var file: CacheFile
    var state = State.free
    var queue = CacheQueue.probation
    var sequence: UInt64 = 0
    /// Frames and header; the list at the end not counted.
    var usedByteCount = 0
    /// Its file is there, with all the space it needs.
    var isMade = false
    var chunks: [Chunk] = []
    /// Reads under way.
    var readerCount = 0

    var isIdle: Bool { chunks.isEmpty && readerCount == 0 }
}

/// A region being filled: what is not on its way to the disk yet, and the list that will end it.
struct RegionWriter {
    let region: Int
    let sequence: UInt64
    private(set) var entries: [CacheRegionFormat.Entry] = []
    /// Where the next frame goes in the region.
    private(set) var end = 0
    private var buffer: IOBuffer?
    private var bufferStart = 0
    /// When the buffer is written although it is not full; nil while it is empty.
    private(set) var flushDue: UInt64?

    init(region: Int, sequence: UInt64) {
        self.region = region
        self.sequence = sequence
    }

    func hasRoom(for byteCount: Int, in limits: CacheLimits) -> Bool {
        guard entries.count < CacheRegionFormat.entryLimit(regionByteCount: limits.regionByteCount) else {
            return false
        }
        return max(end, CacheRegionFormat.headerByteCount) + byteCount
            + CacheRegionFormat.tailByteCount(entryCount: entries.count + 1) <= limits.regionByteCount
    }

    func bufferHasRoom(for byteCount: Int) -> Bool {
        guard let buffer else { return true }
        return end - bufferStart + byteCount <= buffer.byteCount
    }

    /// The region's first bytes. Call once, first.
    mutating func begin(header: [UInt8], limits: CacheLimits, flushAt due: UInt64) {
        let buffer = takeBuffer(header.count, limits, flushAt: due)
        unsafe header.withUnsafeBytes { unsafe buffer.copy($0, to: 0) }
        end = header.count
    }

    /// - Returns: where in the region it lies.
    mutating func append(
        _ frame: FrameReference, hash: UInt64, payload bytes: [UInt8], in range: Range<Int>, limits: CacheLimits,
        flushAt due: UInt64
    ) -> (byteOffset: Int, byteCount: Int) {
        let byteCount = CachedFrameFormat.byteCount(payloadByteCount: range.count)
        precondition(hasRoom(for: byteCount, in: limits) && bufferHasRoom(for: byteCount))
        let buffer = takeBuffer(byteCount, limits, flushAt: due)
        CachedFrameFormat.write(
            frame, payload: bytes, in: range, regionSequence: sequence, to: buffer, at: end - bufferStart)
        entries.append(.init(hash: hash, byteOffset: end, byteCount: byteCount))
        defer { end += byteCount }
        return (end, byteCount)
    }

    private mutating func takeBuffer(_ byteCount: Int, _ limits: CacheLimits, flushAt due: UInt64) -> IOBuffer {
        if let buffer { return buffer }
        let made = IOBuffer(byteCount: max(limits.chunkByteCount, byteCount))
        buffer = made
        bufferStart = end
        flushDue = due
        return made
    }

    /// What was collected, to be written; the next frame begins another buffer.
    mutating func takeChunk(_ token: CacheToken) -> CacheRegion.Chunk? {
        guard let buffer else { return nil }
        self.buffer = nil
        flushDue = nil
        return CacheRegion.Chunk(
            token: token, buffer: buffer, byteOffset: bufferStart, byteCount: end - bufferStart)
    }

    /// A frame that is not on its way to the disk yet.
    func bytes(at byteOffset: Int, _ byteCount: Int) -> [UInt8]? {
        guard let buffer, byteOffset >= bufferStart, byteOffset + byteCount <= end else { return nil }
        return buffer.array(byteOffset - bufferStart..<byteOffset - bufferStart + byteCount)
    }
}

extension CacheRegion.Chunk {
    func bytes(at byteOffset: Int, _ byteCount: Int) -> [UInt8]? {
        guard byteOffset >= self.byteOffset, byteOffset + byteCount <= self.byteOffset + self.byteCount else {
            return nil
        }
        let start = byteOffset - self.byteOffset
        return buffer.array(start..<start + byteCount)
    }
}
