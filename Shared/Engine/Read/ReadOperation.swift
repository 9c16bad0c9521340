// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// One range of sectors being put together from journal, cache and bucket. Lives until every piece is there.
final class ReadOperation {
    enum Purpose {
        case reply(RequestOrigin)
        /// The current contents, which must be these: answers a comparison.
        case compare(RequestOrigin, IOBuffer)
        /// The current contents that the command of this origin depends on.
        case modify(RequestOrigin)
        /// No bytes, but what is stored.
        case provisioning(ProvisioningQuery)
        /// A partly written block that a pack needs whole.
        case pack(PackBuild, bufferOffset: Int)
    }

    /// Sectors of one block that a newer layer holds: copied over what lies below once all is read.
    struct Overlay {
        var buffer: IOBuffer
        var block: BlockIndex
        /// Bit n: sector n.
        var mask: UInt8
    }

    let purpose: Purpose
    let sectors: SectorRange
    let buffer: IOBuffer
    /// Give up waiting for the bucket at this time.
    let deadline: UInt64
    /// Some of it had to be fetched from the bucket.
    var usedBucket = false
    /// The committed image when it began, and whether it saw another one since: what it holds may be of no one moment.
    var imageNumber: UInt64 = 0
    var isOfSeveralImages = false
    /// Pieces under way.
    var outstanding = 0
    /// Newest layer first; applied in reverse.
    var overlays: [Overlay] = []
    /// Runs of blocks that only the committed map knows.
    var committed: [BlockRange] = []
    /// The first sector that could not be read, and whether trying later may help.
    var failure: (sector: UInt64, isTransient: Bool)?

    init(purpose: Purpose, sectors: SectorRange, deadline: UInt64) {
        self.purpose = purpose
        self.sectors = sectors
        self.deadline = deadline
        buffer = IOBuffer(byteCount: sectors.byteCount)
    }

    func fail(_ block: BlockIndex, isTransient: Bool) {
        let sector = max(block.rawValue * 8, sectors.start)
        if failure.map({ sector < $0.sector || ($0.isTransient && !isTransient) }) ?? true {
            failure = (sector, isTransient)
        }
    }

    /// The sectors of a block that the operation wants, as a range of 0 ..< 8.
    func wanted(of block: BlockIndex) -> Range<Int> {
        let first = block.rawValue * 8
        let lower = sectors.start > first ? Int(sectors.start - first) : 0
        let upper = sectors.end < first + 8 ? Int(sectors.end - first) : 8
        return lower..<upper
    }

    /// Where a sector of a block lies in the buffer.
    func bufferOffset(of block: BlockIndex, sector: Int) -> Int {
        Int(block.rawValue * 8 + UInt64(sector) - sectors.start) * Geometry.sectorByteCount
    }

    func zero(_ blocks: BlockRange) {
        let lower = max(blocks.start.rawValue * 8, sectors.start)
        let upper = min(blocks.end.rawValue * 8, sectors.end)
        guard lower < upper else { return }
        buffer.zero(
            Int(lower - sectors.start) * Geometry.sectorByteCount..<Int(upper - sectors.start)
                * Geometry.sectorByteCount)
    }

    /// Copies the wanted sectors of a block from a buffer that holds the whole block at `offset`.
    func copy(_ block: BlockIndex, from source: IOBuffer, at offset: Int) {
        let wanted = wanted(of: block)
        buffer.copy(
            source, from: offset + wanted.lowerBound * Geometry.sectorByteCount,
            byteCount: wanted.count * Geometry.sectorByteCount,
            to: bufferOffset(of: block, sector: wanted.lowerBound))
    }

    func applyOverlays() {
        for overlay in overlays.reversed() {
            for sector in wanted(of: overlay.block) where overlay.mask & (1 << UInt8(sector)) != 0 {
                buffer.copy(
                    overlay.buffer, from: sector * Geometry.sectorByteCount, byteCount: Geometry.sectorByteCount,
                    to: bufferOffset(of: overlay.block, sector: sector))
            }
        }
    }
}

/// One pread of the journal for an operation.
struct JournalRead {
    struct Check {
        var bufferOffset: Int
        var byteCount: Int
        var checksum: UInt32
        var block: BlockIndex
    }
    var operation: ReadOperation
    var segment: SegmentID
    var buffer: IOBuffer
    var checks: [Check]
    /// The buffer holds this block whole; its wanted sectors are to be copied to the operation's.
    var edge: BlockIndex?
    /// From a segment that is in the bucket too: a bad block is fetched from there.
    var isClean: Bool
}
