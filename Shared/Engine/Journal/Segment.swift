// SPDX-License-Identifier: Apache-2.0

/// A segment file as the running journal knows it.
struct Segment {
    enum State: Equatable {
        /// Records are still appended to it.
        case open
        /// Full; its data is not known to be durable yet.
        case full
        /// Data durable; index and footer are being written.
        case writingIndex
        /// Index written, being synced.
        case syncingIndex
        case sealed
    }

    let id: SegmentID
    var state: State
    var firstSequence = JournalSequence.zero
    var lastSequence = JournalSequence.zero
    /// The last record with commands, and the last commit intent: what decides whether the segment is still needed.
    var lastCommandSequence = JournalSequence.zero
    var lastIntentSequence = JournalSequence.zero
    /// Where the next record goes.
    var writeOffset = 0
    var index = SegmentIndex()
    /// Reads under way: the file may not be recycled before they end.
    var readers = 0

    /// Found by a restart with nothing in it.
    var isWithoutRecords = false

    init(id: SegmentID, state: State) {
        self.id = id
        self.state = state
    }

    mutating func note(_ kind: RecordKind, _ sequence: JournalSequence) {
        switch kind {
        case .data: lastCommandSequence = sequence
        case .commitIntent: lastIntentSequence = sequence
        case .checkpoint: break  // The next segment begins with a newer one.
        }
    }

    var isEmpty: Bool { lastSequence == .zero }

    func fits(recordByteCount: Int, entriesByteCount: Int, segmentByteCount: Int) -> Bool {
        writeOffset + recordByteCount + index.reservedByteCount(addingEntriesByteCount: entriesByteCount)
            <= segmentByteCount
    }
}
