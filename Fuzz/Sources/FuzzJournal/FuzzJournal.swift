// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Platform
import Wire

// The journal is internal to the engine: its parts have no other door to fuzz them through.
@testable import Engine

/// The journal as recovery finds it: records, segments, and whole journals that were damaged or made up.
///
/// Checksums are made right, since damage that they catch is the rarer case here: what has to hold is that nothing
/// which a disk may hold ends the process, and that a journal which recovered recovers again to the same.
@main
enum FuzzJournal: FuzzTarget {
    static let volume = VolumeID(rawValue: 0x0123_4567_89ab_cdef)

    static func run(_ input: [UInt8]) {
        var input = FuzzInput(input)
        switch input.choice(4) {
        case 0: header(input.rest())
        case 1: words(input.rest())
        case 2: segments(JournalMaker.raw(&input), committed: 0)
        default:
            let committed = UInt64(input.choice(8))
            segments(JournalMaker.journal(&input), committed: committed)
        }
    }

    private static func header(_ bytes: [UInt8]) {
        let buffer = IOBuffer(bytes)
        guard let header = RecordHeader.decode(buffer) else { return }
        var position = RecordHeader.byteCount
        let end = min(buffer.byteCount, position + header.entriesByteCount)
        for _ in 0..<min(header.entryCount, 64) {
            let start = position
            guard let entry = try? JournalEntry.decode(buffer, at: &position, end: end) else { return }
            precondition(position > start && position <= end, "an entry beyond its record")
            for range in entry.ranges {
                precondition(range.sectors.start <= UInt64.max - UInt64(range.sectors.count), "sectors wrap around")
            }
            precondition(
                JournalEntry.byteCount(rangeCount: entry.ranges.count, checksumCount: entry.checksums.count)
                    == position - start, "the length of an entry")
        }
    }

    private static func words(_ bytes: [UInt8]) {
        let words = stride(from: 0, to: bytes.count - bytes.count % 8, by: 8).map { start -> UInt64 in
            bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        if let intent = try? CommitIntent(decoding: words) {
            precondition((try? CommitIntent(decoding: intent.encoded())) == intent, "an intent is not stable")
        }
        if let table = try? RequestTable(decoding: words) {
            let again = try? RequestTable(decoding: table.encoded())
            precondition(again?.frontends == table.frontends, "a request table is not stable")
        }
    }

    private static func segments(_ store: SegmentMemory, committed: UInt64) {
        guard let first = recover(store, committed) else { return }
        for record in first.records {
            for entry in record.entries {
                for range in entry.ranges {
                    precondition(range.sectors.start <= UInt64.max - UInt64(range.sectors.count), "sectors wrap around")
                }
            }
        }
        // What was recovered is sealed: nothing is torn any more.
        guard let second = recover(store, committed) else {
            preconditionFailure("a recovered journal does not recover")
        }
        precondition(second.journal.tornTail == nil, "a torn tail came back")
        precondition(second.journal.lastSequence == first.journal.lastSequence, "another end")
        precondition(second.journal.dirtyByteCount == first.journal.dirtyByteCount, "other data")
        // Segments that the first found unsealed and committed may be passed over by the second; their requests are in
        // the checkpoint with which every real segment begins, and these do not.
        guard committed == 0 else { return }
        precondition(second.journal.recordCount == first.journal.recordCount, "other records")
        precondition(second.journal.table.frontends == first.journal.table.frontends, "other requests")
    }

    private static func recover(
        _ store: SegmentMemory, _ committed: UInt64
    ) -> (journal: RecoveredJournal, records: [RecoveredRecord])? {
        var records: [RecoveredRecord] = []
        let journal = try? RecoveredJournal.recover(
            volume: volume, committed: JournalSequence(committed), segments: store.ids, store: store,
            limits: SegmentMemory.limits, observer: { records.append($0) })
        return journal.map { ($0, records) }
    }
}
