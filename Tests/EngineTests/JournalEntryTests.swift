// SPDX-License-Identifier: Apache-2.0
import Platform
import Testing
import Wire

// The journal is internal to the engine: its parts have no other door to test them through.
@testable import Engine

/// Entries and footers whose checksums are right and whose contents cannot be.
@Suite struct JournalEntryTests {
    private static let origin = RequestOrigin(frontend: ServiceInstance(rawValue: 1), number: 2)

    private static func decodeZero(_ sectors: SectorRange) throws -> JournalEntry {
        var record = OpenRecord(kind: .data, ordinal: 1, entryByteCount: 64, dataByteCount: 0)
        record.appendZero([sectors], origin: origin, forceUnitAccess: false)
        var position = RecordHeader.byteCount
        return try JournalEntry.decode(record.buffer, at: &position, end: position + record.entriesByteCount)
    }

    private static func recordWithFill() throws -> (buffer: IOBuffer, end: Int) {
        var record = OpenRecord(kind: .data, ordinal: 1, entryByteCount: 64, dataByteCount: 4096)
        let sector = [UInt8](repeating: 7, count: Geometry.sectorByteCount)
        unsafe sector.withUnsafeBytes {
            unsafe record.appendFill(
                SectorRange(start: 8, count: 8), origin: origin, forceUnitAccess: false, pattern: $0)
        }
        return (record.buffer, RecordHeader.byteCount + record.entriesByteCount)
    }

    @Test func takesSectorsUpToTheEndOfTheLargestVolume() throws {
        let end = Geometry.largestVolumeByteCount / UInt64(Geometry.sectorByteCount)
        #expect(try Self.decodeZero(SectorRange(start: end - 8, count: 8)).ranges[0].sectors.end == end)
    }

    @Test(arguments: [UInt64.max, UInt64.max - 7, Geometry.largestVolumeByteCount / 512 - 7])
    func refusesSectorsBeyondTheLargestVolume(start: UInt64) {
        #expect(throws: EngineError.self) { try Self.decodeZero(SectorRange(start: start, count: 8)) }
    }

    @Test func refusesDataThatIsNotAligned() throws {
        let (buffer, end) = try Self.recordWithFill()
        buffer.store(UInt32(100), at: RecordHeader.byteCount + JournalEntry.fixedByteCount + 12)
        var position = RecordHeader.byteCount
        #expect(throws: EngineError.self) { try JournalEntry.decode(buffer, at: &position, end: end) }
    }

    @Test func knowsWhetherItsDataLiesInItsRecord() throws {
        let (buffer, end) = try Self.recordWithFill()
        var position = RecordHeader.byteCount
        let entry = try JournalEntry.decode(buffer, at: &position, end: end)
        #expect(entry.liesWithin(dataByteCount: 4096))
        #expect(!entry.liesWithin(dataByteCount: 4095))
    }

    @Test func anIndexOutsideOfItsSegmentIsNotBelieved() {
        var footer = SegmentFooter(
            volume: VolumeID(rawValue: 1), segment: SegmentID(1), indexOffset: 4096, indexByteCount: 104,
            indexChecksum: 0, recordCount: 1, firstSequence: JournalSequence(1), lastSequence: JournalSequence(1),
            lastHeaderChecksum: 0, generation: Generation(0))
        #expect(footer.hasIndexInside(segmentByteCount: 12 << 10))
        #expect(!footer.hasIndexInside(segmentByteCount: 8 << 10))
        footer.indexByteCount = Int(UInt32.max)
        #expect(!footer.hasIndexInside(segmentByteCount: 12 << 10))
        footer = SegmentFooter(
            volume: footer.volume, segment: footer.segment, indexOffset: 100, indexByteCount: 104, indexChecksum: 0,
            recordCount: 1, firstSequence: JournalSequence(1), lastSequence: JournalSequence(1),
            lastHeaderChecksum: 0, generation: Generation(0))
        #expect(!footer.hasIndexInside(segmentByteCount: 12 << 10))
    }
}
