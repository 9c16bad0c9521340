// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Wire

/// A journal record as the engine sends it to its disk, read with the production decoders.
struct JournalRecordBody {
    var header: RecordHeader
    var entries: [JournalEntry] = []
    var intent: CommitIntent?

    /// nil: not a record but a segment's index.
    init?(decoding buffer: IOBuffer, segment: SegmentID) throws(EngineError) {
        guard let header = RecordHeader.decode(buffer) else { return nil }
        self.header = header
        guard header.segment == segment else { throw .misplaced(.journal, reason: "of segment \(header.segment)") }
        let found = RecordHeader.checksum(of: buffer, entriesByteCount: header.entriesByteCount)
        let expected = buffer.load(UInt32.self, at: 92)
        guard found == expected else { throw .checksumMismatch(.journal, expected: expected, found: found) }
        var position = RecordHeader.byteCount
        let end = position + header.entriesByteCount
        switch header.kind {
        case .data:
            for _ in 0..<header.entryCount {
                entries.append(try JournalEntry.decode(buffer, at: &position, end: end))
            }
        case .commitIntent:
            intent = try CommitIntent(
                decoding: (0..<header.entryCount).map { buffer.load(UInt64.self, at: position + $0 * 8) })
        case .checkpoint: break
        }
    }
}
