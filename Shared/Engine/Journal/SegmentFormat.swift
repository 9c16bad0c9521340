// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

// A segment, version 1 (docs/formats/journal.md): records from offset 0; once sealed, an index of their headers and a
// footer in the last 4,096 bytes, so that recovery need not walk it. A footer counts only if it names its own segment:
// recycled files still hold an older one. All integers little-endian.
//
//     footer  0  u32 magic "SLJF"      24  u32 bytes of index     44  u64 last sequence
//             4  u16 version           28  u32 CRC32C of index    52  u32 last header's CRC
//             6  u16 reserved          32  u32 records            56  u32 generation
//             8  u64 volume            36  u64 first sequence     60  u32 CRC32C of bytes 0 ..< 60
//            16  u32 segment
//            20  u32 index offset
//     index   per record: u32 offset of the record, u32 bytes that follow, header and entries as in the record

/// The end of a sealed segment.
struct SegmentFooter: Equatable {
    static let byteCount = 4096
    private static let magic: UInt32 = 0x464a_4c53
    private static let version: UInt16 = 1

    var volume: VolumeID
    var segment: SegmentID
    var indexOffset: Int
    var indexByteCount: Int
    var indexChecksum: UInt32
    var recordCount: Int
    var firstSequence: JournalSequence
    var lastSequence: JournalSequence
    var lastHeaderChecksum: UInt32
    var generation: Generation

    func encode(into buffer: IOBuffer, at start: Int) {
        buffer.zero(start..<start + Self.byteCount)
        buffer.store(Self.magic, at: start)
        buffer.store(Self.version, at: start + 4)
        buffer.store(volume.rawValue, at: start + 8)
        buffer.store(segment.rawValue, at: start + 16)
        buffer.store(UInt32(indexOffset), at: start + 20)
        buffer.store(UInt32(indexByteCount), at: start + 24)
        buffer.store(indexChecksum, at: start + 28)
        buffer.store(UInt32(recordCount), at: start + 32)
        buffer.store(firstSequence.rawValue, at: start + 36)
        buffer.store(lastSequence.rawValue, at: start + 44)
        buffer.store(lastHeaderChecksum, at: start + 52)
        buffer.store(generation.rawValue, at: start + 56)
        buffer.store(Self.checksum(buffer, start), at: start + 60)
    }

    /// nil: this segment is not sealed.
    static func decode(_ buffer: IOBuffer, volume: VolumeID, segment: SegmentID) -> SegmentFooter? {
        guard buffer.load(UInt32.self, at: 0) == magic, buffer.load(UInt16.self, at: 4) == version,
            buffer.load(UInt64.self, at: 8) == volume.rawValue,
            buffer.load(UInt32.self, at: 16) == segment.rawValue,
            buffer.load(UInt32.self, at: 60) == checksum(buffer, 0)
        else { return nil }
        return SegmentFooter(
            volume: volume, segment: segment, indexOffset: Int(buffer.load(UInt32.self, at: 20)),
            indexByteCount: Int(buffer.load(UInt32.self, at: 24)), indexChecksum: buffer.load(at: 28),
            recordCount: Int(buffer.load(UInt32.self, at: 32)),
            firstSequence: JournalSequence(buffer.load(at: 36)), lastSequence: JournalSequence(buffer.load(at: 44)),
            lastHeaderChecksum: buffer.load(at: 52), generation: Generation(buffer.load(at: 56)))
    }

    /// Whether the index lies where one can be: no more is read, or room made for it, because a footer says so.
    func hasIndexInside(segmentByteCount: Int) -> Bool {
        indexOffset % RecordHeader.alignment == 0
            && indexOffset + RecordHeader.aligned(indexByteCount) <= segmentByteCount - Self.byteCount
    }

    private static func checksum(_ buffer: IOBuffer, _ start: Int) -> UInt32 {
        unsafe CRC32C.checksum(UnsafeRawBufferPointer(buffer.bytes(start..<start + 60)))
    }
}

/// Collects a segment's index while its records are written.
struct SegmentIndex {
    private(set) var bytes: [UInt8] = []
    private(set) var recordCount = 0
    private(set) var lastHeaderChecksum: UInt32 = 0

    static func entryByteCount(entriesByteCount: Int) -> Int { 8 + RecordHeader.byteCount + entriesByteCount }

    /// Room at the segment's end for index and footer after one more record with this many bytes of entries.
    func reservedByteCount(addingEntriesByteCount count: Int) -> Int {
        RecordHeader.aligned(bytes.count + Self.entryByteCount(entriesByteCount: count)) + SegmentFooter.byteCount
    }

    /// - Parameter header: a buffer that begins with the record's header and entries.
    mutating func add(recordOffset: Int, header: IOBuffer, entriesByteCount: Int) {
        let count = RecordHeader.byteCount + entriesByteCount
        for value in [UInt32(recordOffset), UInt32(count)] {
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
        }
        unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(header.bytes(0..<count)))
        recordCount += 1
        lastHeaderChecksum = header.load(at: 92)
    }

    /// Index and footer as they stand at the segment's end. - Returns: the bytes and where they go.
    func sealed(
        volume: VolumeID, segment: SegmentID, generation: Generation, firstSequence: JournalSequence,
        lastSequence: JournalSequence, segmentByteCount: Int
    ) -> (buffer: IOBuffer, byteOffset: Int) {
        let indexByteCount = RecordHeader.aligned(bytes.count)
        let indexOffset = segmentByteCount - SegmentFooter.byteCount - indexByteCount
        let buffer = IOBuffer(byteCount: indexByteCount + SegmentFooter.byteCount)
        buffer.zero(0..<indexByteCount)
        unsafe bytes.withUnsafeBytes { unsafe buffer.copy($0, to: 0) }
        SegmentFooter(
            volume: volume, segment: segment, indexOffset: indexOffset, indexByteCount: bytes.count,
            indexChecksum: CRC32C.checksum(bytes), recordCount: recordCount, firstSequence: firstSequence,
            lastSequence: lastSequence, lastHeaderChecksum: lastHeaderChecksum, generation: generation
        ).encode(into: buffer, at: indexByteCount)
        return (buffer, indexOffset)
    }
}
