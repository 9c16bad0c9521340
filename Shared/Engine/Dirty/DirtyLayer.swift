// SPDX-License-Identifier: Apache-2.0
import Wire

/// What a run of consecutive journal records changed: one epoch of the volume. A layer is filled in journal order,
/// then frozen, committed and dropped (STORAGE §3, §5).
///
/// Blocks are in `table`; long zeroed ranges are in `zeroRanges`, under the table: a table entry is always newer.
struct DirtyLayer {
    enum Hit {
        case miss
        case zero
        case journal(DirtyEntry)
        case partial(PartialBlock)
    }

    /// Zeroed ranges of at least this many blocks cost a range instead of an entry per block.
    private static let shortestZeroRange: UInt64 = 64

    private(set) var table = BlockTable<DirtyEntry>()
    private(set) var zeroRanges = RangeSet()
    private var partials: [PartialBlock] = []
    private var freePartials: [Int] = []
    private(set) var firstSequence: JournalSequence?
    private(set) var lastSequence = JournalSequence.zero
    /// Wall clock of the oldest record, for the age of the recovery point.
    private(set) var firstWallMilliseconds: UInt64 = 0
    /// Wall clock of the freeze: the recovery point that the layer's commit will be.
    var cutMilliseconds: UInt64 = 0

    var isEmpty: Bool { firstSequence == nil }
    /// Blocks that need uploading.
    var blockCount: Int { table.count }
    /// What packs have to say: blocks and zeroed ranges.
    var entryCount: Int { table.count + zeroRanges.count }
    /// Memory that it takes, at most: a table that has just grown has three slots for each entry.
    var indexByteCount: Int {
        table.count * 3 * BlockTable<DirtyEntry>.slotByteCount + zeroRanges.count * 2 * MemoryLayout<BlockRange>.stride
            + (partials.count - freePartials.count) * 2 * MemoryLayout<PartialBlock>.stride
    }

    /// A record of this sequence belongs to the layer, whatever it changes.
    mutating func include(_ sequence: JournalSequence, wallMilliseconds: UInt64) {
        precondition(sequence > lastSequence || isEmpty)
        if firstSequence == nil {
            firstSequence = sequence
            firstWallMilliseconds = wallMilliseconds
        }
        lastSequence = sequence
    }

    mutating func reserveCapacity(blockCount: Int) { table.reserveCapacity(blockCount) }

    func lookup(_ block: BlockIndex) -> Hit {
        if let entry = table[block] {
            if entry.isZero { return .zero }
            if let index = entry.partialIndex { return .partial(partials[index]) }
            return .journal(entry)
        }
        return zeroRanges.contains(block) ? .zero : .miss
    }

    /// Applies a write whose data lies at `byteOffset` of a segment.
    /// - Parameters:
    ///   - checksum: the n-th checksum of its journal entry.
    ///   - isZero: whether the block whose data starts at this offset within the write's data is all zeros; asked only
    ///     when the checksum is that of a zero block.
    mutating func applyWrite(
        _ sectors: SectorRange, segment: SegmentID, byteOffset: Int, checksum: (Int) -> UInt32, isZero: (Int) -> Bool
    ) {
        var sector = sectors.start
        var checksumIndex = 0
        while sector < sectors.end {
            let block = BlockIndex(sector / 8)
            let dataOffset = Int(sector - sectors.start) * Geometry.sectorByteCount
            if sector % 8 == 0, sectors.end - sector >= 8 {
                let sum = checksum(checksumIndex)
                let entry =
                    sum == CRC32C.zeroBlock && isZero(dataOffset)
                    ? DirtyEntry.zero
                    : DirtyEntry(segment: segment, byteOffset: byteOffset + dataOffset, checksum: sum)
                put(entry, at: block)
                sector += 8
            } else {
                setSector(
                    sector,
                    DirtyEntry(
                        segment: segment, byteOffset: byteOffset + dataOffset, checksum: checksum(checksumIndex)))
                sector += 1
            }
            checksumIndex += 1
        }
    }

    /// Applies a fill: every whole block is the same 4 KiB at `byteOffset`, every other sector its first 512 bytes.
    mutating func applyFill(
        _ sectors: SectorRange, segment: SegmentID, byteOffset: Int, blockChecksum: UInt32, sectorChecksum: UInt32
    ) {
        let block = DirtyEntry(segment: segment, byteOffset: byteOffset, checksum: blockChecksum)
        let edge = DirtyEntry(segment: segment, byteOffset: byteOffset, checksum: sectorChecksum)
        var sector = sectors.start
        while sector < sectors.end {
            if sector % 8 == 0, sectors.end - sector >= 8 {
                put(block, at: BlockIndex(sector / 8))
                sector += 8
            } else {
                setSector(sector, edge)
                sector += 1
            }
        }
    }

    mutating func applyZero(_ sectors: SectorRange) {
        var sector = sectors.start
        while sector < sectors.end, sector % 8 != 0 {
            setSector(sector, .zero)
            sector += 1
        }
        let whole = BlockRange(start: BlockIndex(sector / 8), count: (sectors.end - sector) / 8)
        zeroBlocks(whole)
        sector += whole.count * 8
        while sector < sectors.end {
            setSector(sector, .zero)
            sector += 1
        }
    }

    private mutating func zeroBlocks(_ range: BlockRange) {
        guard range.count > 0 else { return }
        if range.count < Self.shortestZeroRange {
            for offset in 0..<range.count { put(.zero, at: range.start.advanced(by: offset)) }
            return
        }
        if freePartials.count < partials.count {
            table.forEach { block, entry in
                if let index = entry.partialIndex, range.contains(block) { freePartials.append(index) }
            }
        }
        table.removeAll(in: range)
        zeroRanges.insert(range)
    }

    private mutating func put(_ entry: DirtyEntry, at block: BlockIndex) {
        if let index = table.updateValue(entry, of: block)?.partialIndex { freePartials.append(index) }
    }

    private mutating func setSector(_ sector: UInt64, _ entry: DirtyEntry) {
        let block = BlockIndex(sector / 8)
        let index: Int
        if let existing = table[block]?.partialIndex {
            index = existing
        } else {
            let base = table[block] ?? (zeroRanges.contains(block) ? .zero : nil)
            index = freePartials.popLast() ?? partials.count
            let partial = PartialBlock(base: base)
            if index == partials.count { partials.append(partial) } else { partials[index] = partial }
            table[block] = DirtyEntry(partial: index)
        }
        partials[index].set(Int(sector % 8), entry)
        // Zeroed piece by piece is zeroed.
        if entry.isZero, partials[index].isZero { put(.zero, at: block) }
    }
}
