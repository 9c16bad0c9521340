// SPDX-License-Identifier: Apache-2.0

/// What a volume is doing, for status and metrics.
package struct VolumeStatistics: Equatable, Sendable {
    package enum Phase: Equatable, Sendable {
        /// Asking the bucket who owns it; commands wait.
        case opening
        case serving
        /// Serving, but the bucket does not take commits (why).
        case stalled(String)
        case fenced(String)
        case failed(String)
        case stopping
        case stopped
    }
    package var phase = Phase.opening
    /// Why the commit under way takes so long, also of a volume that stops; nil when nothing is wrong.
    package var commitDelayReason: String?
    /// Distinct bytes that the bucket lacks.
    package var dirtyByteCount: UInt64 = 0
    /// Wall clock of the oldest write that the bucket lacks; nil when clean.
    package var oldestDirtyMilliseconds: UInt64?
    package var bufferUsedByteCount: UInt64 = 0
    /// What commands can fill; the journal's reserve, which they never take, is not in it.
    package var bufferByteCount: UInt64 = 0
    /// Memory of the map: its nodes, and the index of what was committed since the last fold.
    package var mapByteCount = 0
    package var readByteCount: UInt64 = 0
    package var readCount: UInt64 = 0
    package var writtenByteCount: UInt64 = 0
    package var writeCount: UInt64 = 0
    package var flushCount: UInt64 = 0
    package var uploadedByteCount: UInt64 = 0
    package var downloadedByteCount: UInt64 = 0
    /// Blocks that were stored in data packs, and these packs as the bucket has them: their ratio is what compression
    /// saves.
    package var packedSourceByteCount: UInt64 = 0
    package var packedByteCount: UInt64 = 0
    package var commitCount: UInt64 = 0
    /// Reads that nothing had to be fetched from the bucket for.
    package var localReadCount: UInt64 = 0
    package var answeredReadCount: UInt64 = 0
    package var sources = ReadSources()
    /// Fetched before anybody asked for it.
    package var prefetchedByteCount: UInt64 = 0
    /// nil: the volume was not warmed since it was opened.
    package var warming: WarmingProgress?
    /// Requests that were answered from the request table because they came again.
    package var repeatCount: UInt64 = 0
    /// Commands that waited for room, for back-pressure or for a cut, and how long they did, together.
    package var heldCount: UInt64 = 0
    package var heldNanoseconds: UInt64 = 0
    /// The delay that back-pressure gives a write now.
    package var writeDelayNanoseconds: UInt64 = 0
    /// nil: the volume is owned exclusively.
    package var lease: LeaseStatistics?
}

/// How it stands with the lease on a volume.
package struct LeaseStatistics: Equatable, Sendable {
    /// Answers go out.
    package var isHeld: Bool
    /// How often it ran out while the volume served.
    package var lapseCount: UInt64
}

/// How many bytes of reads came from where. Zeros that no one stores come from nowhere.
package struct ReadSources: Equatable, Sendable {
    /// Of the journal: not committed yet, or committed and not recycled.
    package var journalByteCount: UInt64 = 0
    package var memoryByteCount: UInt64 = 0
    package var cacheByteCount: UInt64 = 0
    package var bucketByteCount: UInt64 = 0
    package init() {}
}

/// How far `Volume.warm` has come.
package struct WarmingProgress: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case running
        case finished
        case cancelled
        /// Why it ended before its end, for people.
        case stopped(String)
    }
    package var state = State.running
    /// What it waits for, for people; nil: nothing but its turn.
    package var delayReason: String?
    /// Blocks of the range, and how many of them were looked at.
    package var blockCount: UInt64 = 0
    package var doneBlockCount: UInt64 = 0
    /// What was fetched, and what was there already, in frames.
    package var fetchedByteCount: UInt64 = 0
    package var fetchedFrameCount: UInt64 = 0
    package var presentFrameCount: UInt64 = 0
    package init(blockCount: UInt64) { self.blockCount = blockCount }
}
