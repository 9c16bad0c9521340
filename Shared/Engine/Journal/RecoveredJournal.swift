// SPDX-License-Identifier: Apache-2.0
package import Platform
import Wire

/// The segment files as recovery sees them; calls block. Offsets, counts and buffer positions are multiples of 4,096.
package protocol SegmentStore {
    /// Reads what is on the disk, past the page cache: after a failed fdatasync the cache may hold what the disk lost.
    func read(_ segment: SegmentID, byteOffset: Int, byteCount: Int, into buffer: IOBuffer) throws(SystemError)
    func write(_ segment: SegmentID, byteOffset: Int, _ buffer: IOBuffer) throws(SystemError)
    func sync(_ segment: SegmentID) throws(SystemError)
}

package enum RecoveryError: Error, Equatable, Sendable {
    case disk(SystemError)
    /// Something that was durable is missing or broken in a way that is no torn tail. The journal is left as it is.
    case damaged(SegmentID, String)
}

/// One record that recovery accepted, for whoever wants to check it.
package struct RecoveredRecord: Sendable {
    package var sequence: JournalSequence
    package var segment: SegmentID
    package var entries: [JournalEntry]
}

/// What a journal holds after a restart (STORAGE §9): dirty and clean data, applied requests, a commit that may have
/// happened. Every segment is sealed and durable once it exists.
package struct RecoveredJournal: Sendable {
    package internal(set) var table = RequestTable()
    package internal(set) var lastSequence = JournalSequence.zero
    /// The commits that were about to be published, oldest first, and the records that say so.
    package internal(set) var intents: [(record: JournalSequence, intent: CommitIntent)] = []
    package internal(set) var recordCount = 0
    /// The end of the journal was cut off here: an unfinished write, never acknowledged as durable.
    package internal(set) var tornTail: (segment: SegmentID, byteOffset: Int)?
    var lastHeaderChecksum: UInt32 = 0
    var segments: [Segment] = []
    var nextSegment = SegmentID(1)
    /// Layers that end at cuts which were promised and are not committed, oldest first.
    var frozen: [DirtyLayer] = []
    /// Records after the last commit and the last such cut, and those before the commit that are still here.
    var dirty = DirtyLayer()
    var clean = DirtyLayer()

    /// The journal of a volume that has none yet.
    package init() {}

    package var dirtyByteCount: UInt64 {
        UInt64(frozen.reduce(dirty.blockCount) { $0 + $1.blockCount }) * UInt64(Geometry.blockByteCount)
    }
    /// Where the recovered layers end.
    package var cuts: [JournalSequence] { frozen.map(\.lastSequence) }
    package var segmentCount: Int { segments.count }
}
