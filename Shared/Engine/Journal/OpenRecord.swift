// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// A record being filled: header and data in one buffer, so that it is written with one call.
struct OpenRecord {
    /// One command, kept until the record is published.
    struct Item {
        var origin: RequestOrigin
        var operation: JournalEntry.Operation
        var ranges: [SectorRange]
        /// In the buffer.
        var dataOffset: Int
        var checksumOffset: Int
        var forceUnitAccess: Bool
    }

    let kind: RecordKind
    /// Counts the records with commands in this run, from 1; sequences are given out when records are placed.
    let ordinal: UInt64
    private(set) var buffer: IOBuffer
    /// Fixed by the first command, so that data never moves.
    let headerByteCount: Int
    private var entriesEnd = RecordHeader.byteCount
    private var dataEnd: Int
    private var entryCount = 0
    private(set) var items: [Item] = []

    /// - Parameters: sizes of the first command; the record takes more commands while they fit.
    init(
        kind: RecordKind, ordinal: UInt64, entryByteCount: Int, dataByteCount: Int, reusing spare: IOBuffer? = nil
    ) {
        self.kind = kind
        self.ordinal = ordinal
        headerByteCount = RecordHeader.aligned(RecordHeader.byteCount + entryByteCount)
        dataEnd = headerByteCount
        let needed = headerByteCount + RecordHeader.aligned(dataByteCount)
        if let spare, spare.byteCount >= needed { buffer = spare } else { buffer = IOBuffer(byteCount: needed) }
    }

    var dataByteCount: Int { dataEnd - headerByteCount }
    var entriesByteCount: Int { entriesEnd - RecordHeader.byteCount }
    var byteCount: Int { headerByteCount + RecordHeader.aligned(dataByteCount) }

    func fits(entryByteCount: Int, dataByteCount: Int) -> Bool {
        entriesEnd + entryByteCount <= headerByteCount
            && RecordHeader.aligned(dataEnd + dataByteCount) <= buffer.byteCount
    }

    /// A write: the data is copied and its checksums are taken from the copy.
    mutating func appendWrite(
        _ sectors: SectorRange, origin: RequestOrigin, forceUnitAccess: Bool, data: UnsafeRawBufferPointer
    ) {
        precondition(data.count == sectors.byteCount)
        let dataOffset = dataEnd
        unsafe buffer.copy(data, to: dataOffset)
        dataEnd += data.count
        let checksums = beginEntry(.write, origin, [sectors], dataOffset: dataOffset, forceUnitAccess)
        var sector = sectors.start
        var position = dataOffset
        var checksumOffset = checksums
        while sector < sectors.end {
            let whole = sector % 8 == 0 && sectors.end - sector >= 8
            let count = whole ? Geometry.blockByteCount : Geometry.sectorByteCount
            buffer.store(checksum(position, count), at: checksumOffset)
            checksumOffset += 4
            position += count
            sector += whole ? 8 : 1
        }
        entriesEnd = checksumOffset
    }

    /// A fill: one sector, repeated to a block; or a block, which only whole blocks can be filled with.
    mutating func appendFill(
        _ sectors: SectorRange, origin: RequestOrigin, forceUnitAccess: Bool, pattern: UnsafeRawBufferPointer
    ) {
        precondition(pattern.count == Geometry.sectorByteCount || sectors.isWholeBlocks(of: pattern.count))
        let dataOffset = dataEnd
        for offset in stride(from: 0, to: Geometry.blockByteCount, by: pattern.count) {
            unsafe buffer.copy(pattern, to: dataOffset + offset)
        }
        dataEnd += Geometry.blockByteCount
        let checksums = beginEntry(.fill, origin, [sectors], dataOffset: dataOffset, forceUnitAccess)
        buffer.store(checksum(dataOffset, Geometry.blockByteCount), at: checksums)
        buffer.store(checksum(dataOffset, Geometry.sectorByteCount), at: checksums + 4)
        entriesEnd = checksums + 8
    }

    mutating func appendZero(_ ranges: [SectorRange], origin: RequestOrigin, forceUnitAccess: Bool) {
        entriesEnd = beginEntry(.zero, origin, ranges, dataOffset: dataEnd, forceUnitAccess)
    }

    /// The body of a record that holds no commands: 64-bit words.
    mutating func appendWords(_ words: [UInt64]) {
        for word in words {
            buffer.store(word, at: entriesEnd)
            entriesEnd += 8
        }
        entryCount = words.count
    }

    /// Completes the buffer. - Returns: the header's checksum.
    mutating func seal(
        volume: VolumeID, generation: Generation, segment: SegmentID, sequence: JournalSequence,
        syncedSequence: JournalSequence, previousChecksum: UInt32, wallMilliseconds: UInt64
    ) -> UInt32 {
        buffer.zero(dataEnd..<byteCount)
        let header = RecordHeader(
            kind: kind, volume: volume, generation: generation, segment: segment, sequence: sequence,
            syncedSequence: syncedSequence, previousChecksum: previousChecksum, headerByteCount: headerByteCount,
            dataByteCount: dataByteCount, entryCount: entryCount, entriesByteCount: entriesByteCount,
            wallMilliseconds: wallMilliseconds)
        return header.encode(into: buffer)
    }

    private func checksum(_ byteOffset: Int, _ count: Int) -> UInt32 {
        unsafe CRC32C.checksum(UnsafeRawBufferPointer(buffer.bytes(byteOffset..<byteOffset + count)))
    }

    /// Writes the entry's fixed part and ranges. - Returns: where its checksums go.
    private mutating func beginEntry(
        _ operation: JournalEntry.Operation, _ origin: RequestOrigin, _ ranges: [SectorRange], dataOffset: Int,
        _ forceUnitAccess: Bool
    ) -> Int {
        buffer.store(operation.rawValue, at: entriesEnd)
        buffer.store(JournalEntry.wholeCommand, at: entriesEnd + 1)
        buffer.store(UInt16(0), at: entriesEnd + 2)
        buffer.store(UInt32(ranges.count), at: entriesEnd + 4)
        buffer.store(origin.frontend.rawValue, at: entriesEnd + 8)
        buffer.store(origin.number, at: entriesEnd + 16)
        var position = entriesEnd + JournalEntry.fixedByteCount
        for range in ranges {
            buffer.store(range.start, at: position)
            buffer.store(range.count, at: position + 8)
            buffer.store(UInt32(dataOffset - headerByteCount), at: position + 12)
            position += JournalEntry.rangeByteCount
        }
        entryCount += 1
        items.append(
            Item(
                origin: origin, operation: operation, ranges: ranges, dataOffset: dataOffset,
                checksumOffset: position, forceUnitAccess: forceUnitAccess))
        return position
    }
}
