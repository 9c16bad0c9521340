// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

/// One command in a record (docs/formats/journal.md).
///
///     0  u8  operation      4  u32 ranges       16  u64 request number
///     1  u8  marks          8  u64 frontend     24  ranges, 16 bytes each: u64 sector, u32 sectors, u32 data offset
///     2  u16 reserved                               then checksums, u32 each
///
/// Checksums of a write: for each block in order, one of the block if it is covered whole, else one per sector. Of a
/// fill: the 4 KiB block that is repeated, then its first sector. A zero has none.
package struct JournalEntry: Equatable, Sendable {
    package enum Operation: UInt8, Sendable { case write = 1, fill = 2, zero = 3 }
    package struct Range: Equatable, Sendable {
        package var sectors: SectorRange
        /// Of the range's data, from the start of the record's data.
        package var dataOffset: Int
    }

    static let fixedByteCount = 24
    static let rangeByteCount = 16
    /// Of the largest volume.
    private static let sectorLimit = Geometry.largestVolumeByteCount / UInt64(Geometry.sectorByteCount)
    /// Both marks: the command begins and ends in this record. Version 1 knows no other value.
    static let wholeCommand: UInt8 = 3

    package var operation: Operation
    package var origin: RequestOrigin
    package var ranges: [Range]
    package var checksums: [UInt32]

    static func byteCount(rangeCount: Int, checksumCount: Int) -> Int {
        fixedByteCount + rangeCount * rangeByteCount + checksumCount * 4
    }

    /// How many checksums a write of these sectors has.
    static func checksumCount(of sectors: SectorRange) -> Int {
        guard sectors.count > 0 else { return 0 }
        let head = min(UInt64(sectors.count), (8 - sectors.start % 8) % 8)
        let tail = (UInt64(sectors.count) - head) % 8
        return Int(head + tail + (UInt64(sectors.count) - head - tail) / 8)
    }

    /// The data bytes that the entry has in its record.
    var dataByteCount: Int {
        switch operation {
        case .write: ranges.reduce(0) { $0 + $1.sectors.byteCount }
        case .fill: Geometry.blockByteCount
        case .zero: 0
        }
    }

    /// Whether all of its data is in a record with so much.
    func liesWithin(dataByteCount count: Int) -> Bool {
        dataByteCount == 0 || ranges[0].dataOffset <= count - dataByteCount
    }

    /// Decodes the entry at `byteOffset`, moving it past. The whole header's checksum was checked before.
    package static func decode(_ buffer: IOBuffer, at byteOffset: inout Int, end: Int) throws(EngineError)
        -> JournalEntry
    {
        func fail(_ reason: String) -> EngineError { .malformed(.journal, reason: reason) }
        guard end - byteOffset >= fixedByteCount else { throw fail("entry cut short") }
        guard let operation = Operation(rawValue: buffer.load(at: byteOffset)) else { throw fail("unknown operation") }
        guard buffer.load(UInt8.self, at: byteOffset + 1) == wholeCommand else { throw fail("command marks") }
        let rangeCount = Int(buffer.load(UInt32.self, at: byteOffset + 4))
        let origin = RequestOrigin(
            frontend: ServiceInstance(rawValue: buffer.load(at: byteOffset + 8)),
            number: buffer.load(at: byteOffset + 16))
        var position = byteOffset + fixedByteCount
        guard rangeCount <= (end - position) / rangeByteCount else { throw fail("ranges cut short") }
        guard operation == .zero || rangeCount == 1 else { throw fail("more than one range with data") }
        var ranges: [Range] = []
        ranges.reserveCapacity(rangeCount)
        for _ in 0..<rangeCount {
            let sectors = SectorRange(start: buffer.load(at: position), count: buffer.load(at: position + 8))
            let dataOffset = Int(buffer.load(UInt32.self, at: position + 12))
            // Beyond the largest volume, sums of sectors could wrap; data is placed in whole sectors.
            guard sectors.start <= sectorLimit - UInt64(sectors.count) else { throw fail("sectors beyond any volume") }
            guard dataOffset % Geometry.sectorByteCount == 0 else { throw fail("data that is not aligned") }
            ranges.append(Range(sectors: sectors, dataOffset: dataOffset))
            position += rangeByteCount
        }
        let checksumCount =
            switch operation {
            case .write: Self.checksumCount(of: ranges[0].sectors)
            case .fill: 2
            case .zero: 0
            }
        guard checksumCount <= (end - position) / 4 else { throw fail("checksums cut short") }
        let checksums = (0..<checksumCount).map { buffer.load(UInt32.self, at: position + $0 * 4) }
        byteOffset = position + checksumCount * 4
        return JournalEntry(operation: operation, origin: origin, ranges: ranges, checksums: checksums)
    }
}
