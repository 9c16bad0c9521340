// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

// A journal record, version 1 (docs/formats/journal.md). All integers little-endian.
//
//     0  u32 magic "SLJR"            44  u32 header bytes (multiple of 4,096)
//     4  u16 version                 48  u32 data bytes (what follows is padded to 4,096)
//     6  u8  kind                    52  u32 entries
//     7  u8  reserved                56  u32 bytes of entries
//     8  u64 volume                  60  u32 reserved
//    16  u32 generation              64  u64 wall clock, milliseconds
//    20  u32 segment                 72  16 reserved
//    24  u64 sequence                88  u32 reserved
//    32  u64 synced sequence         92  u32 CRC32C of bytes 0 ..< 92 and the entries
//    40  u32 previous header's CRC   96  entries
//
// The header comes first so that recovery can walk from header to header without reading data. The chain of header
// checksums decides where the journal ends. `synced sequence` tells recovery which damage is a torn tail and which is
// a bad block. A command never spans records: a record is whole or absent, so every cut between records is a cut
// between commands.

package enum RecordKind: UInt8, Sendable {
    case data = 1
    /// The request table as of this record; first in every segment, so that older segments may be recycled.
    case checkpoint = 2
    /// A commit is about to publish HEAD.
    case commitIntent = 3
}

/// The fixed part of a record.
package struct RecordHeader: Equatable, Sendable {
    package static let byteCount = 96
    package static let alignment = 4096
    package static let magic: UInt32 = 0x524a_4c53
    package static let version: UInt16 = 1

    package var kind: RecordKind
    package var volume: VolumeID
    package var generation: Generation
    package var segment: SegmentID
    package var sequence: JournalSequence
    package var syncedSequence: JournalSequence
    package var previousChecksum: UInt32
    package var headerByteCount: Int
    package var dataByteCount: Int
    package var entryCount: Int
    package var entriesByteCount: Int
    package var wallMilliseconds: UInt64

    /// From the header's first byte to the next record.
    package var recordByteCount: Int { headerByteCount + Self.aligned(dataByteCount) }

    package static func aligned(_ byteCount: Int) -> Int { (byteCount + alignment - 1) & ~(alignment - 1) }

    /// Writes the fixed part before the entries, which are there already, and zeroes the rest of the header.
    /// - Returns: the header's checksum, which the next record repeats.
    func encode(into buffer: IOBuffer) -> UInt32 {
        buffer.zero(0..<Self.byteCount)
        buffer.store(Self.magic, at: 0)
        buffer.store(Self.version, at: 4)
        buffer.store(kind.rawValue, at: 6)
        buffer.store(volume.rawValue, at: 8)
        buffer.store(generation.rawValue, at: 16)
        buffer.store(segment.rawValue, at: 20)
        buffer.store(sequence.rawValue, at: 24)
        buffer.store(syncedSequence.rawValue, at: 32)
        buffer.store(previousChecksum, at: 40)
        buffer.store(UInt32(headerByteCount), at: 44)
        buffer.store(UInt32(dataByteCount), at: 48)
        buffer.store(UInt32(entryCount), at: 52)
        buffer.store(UInt32(entriesByteCount), at: 56)
        buffer.store(wallMilliseconds, at: 64)
        let checksum = Self.checksum(of: buffer, entriesByteCount: entriesByteCount)
        buffer.store(checksum, at: 92)
        buffer.zero(Self.byteCount + entriesByteCount..<headerByteCount)
        return checksum
    }

    /// Decodes the fixed part at the buffer's start; nil if it is no header at all. The checksum is checked once the
    /// entries have been read too, by `isIntact`.
    package static func decode(_ buffer: IOBuffer) -> RecordHeader? {
        guard buffer.byteCount >= byteCount, buffer.load(UInt32.self, at: 0) == magic,
            buffer.load(UInt16.self, at: 4) == version, let kind = RecordKind(rawValue: buffer.load(at: 6))
        else { return nil }
        let header = RecordHeader(
            kind: kind,
            volume: VolumeID(rawValue: buffer.load(at: 8)),
            generation: Generation(buffer.load(at: 16)),
            segment: SegmentID(buffer.load(at: 20)),
            sequence: JournalSequence(buffer.load(at: 24)),
            syncedSequence: JournalSequence(buffer.load(at: 32)),
            previousChecksum: buffer.load(at: 40),
            headerByteCount: Int(buffer.load(UInt32.self, at: 44)),
            dataByteCount: Int(buffer.load(UInt32.self, at: 48)),
            entryCount: Int(buffer.load(UInt32.self, at: 52)),
            entriesByteCount: Int(buffer.load(UInt32.self, at: 56)),
            wallMilliseconds: buffer.load(at: 64))
        guard header.headerByteCount == aligned(byteCount + header.entriesByteCount) else { return nil }
        return header
    }

    /// The buffer holds header and entries; their checksum.
    package static func checksum(of buffer: IOBuffer, entriesByteCount: Int) -> UInt32 {
        let fixed = unsafe CRC32C.checksum(UnsafeRawBufferPointer(buffer.bytes(0..<92)))
        return unsafe CRC32C.checksum(
            UnsafeRawBufferPointer(buffer.bytes(byteCount..<byteCount + entriesByteCount)), continuing: fixed)
    }
}
