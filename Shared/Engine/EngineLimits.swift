// SPDX-License-Identifier: Apache-2.0

/// Every size and time the engine works with. The simulator uses tiny ones so that rare paths are common.
package struct EngineLimits: Sendable, Equatable {
    /// A segment file, footer included. Must hold the largest record.
    package var segmentByteCount = 64 << 20
    /// Largest data of one command; frontends make several of what SCSI lets be larger (`BlockLimits`).
    package var commandByteCount = 16 << 20
    /// A record is closed when its data reaches this, whatever still waits.
    package var recordByteCount = 256 << 10
    /// Journal space of the volume (its upload buffer).
    package var bufferByteCount: UInt64 = 4 << 30
    /// What is dirty may take 1/64 of the upload buffer's size as an index in memory, and always this much. Whole
    /// blocks never take it all; small writes and scattered trims, which are small in the journal, might.
    package var smallestIndexByteCount = 1 << 20
    package var indexByteCount: Int { max(smallestIndexByteCount, Int(bufferByteCount / 64)) }
    /// After a restart about so much of what is committed is still read from the journal; more than none.
    package var recoveredCleanByteCount = 1 << 30
    /// Blocks in one pack: 16 MiB.
    package var packBlockCount = 4096
    /// And at so many runs of zeroed blocks.
    package var packZeroRunCount = 65_536
    package var packsInFlight = 4
    /// How long a pack waits for what completes its partly written blocks before it makes room for other volumes'.
    package var packReadNanoseconds: UInt64 = 30_000_000_000
    /// Blocks in one frame when scattered / contiguous.
    package var scatteredFrameBlockCount = 4
    package var contiguousFrameBlockCount = 16
    /// Distinct dirty blocks that force a commit: 256 MiB.
    package var commitBlockCount = 65_536
    /// A fold is due at this many packs or commits since the last one; at four times the packs commits wait for it.
    package var foldPackCount = 256
    package var foldCommitCount = 64
    /// At this many blocks in the packs since the last fold.
    package var foldBlockCount = 1 << 20
    /// At this age of the oldest of them.
    package var foldIntervalNanoseconds: UInt64 = 900_000_000_000
    /// How long a clean stop waits for the fold with which it ends.
    package var stopFoldNanoseconds: UInt64 = 8_000_000_000
    /// Decoded frames and map nodes kept in memory.
    package var frameCacheByteCount = 256 << 20
    package var nodeCacheByteCount = 64 << 20
    /// Nodes above the leaves that are fetched when a volume opens, for as long as they fill no more than half of this
    /// memory; and how many at once. A full TiB has 1,024.
    package var upperNodeCount = 4096
    package var upperNodesInFlight = 8
    /// What a sequential reader is given ahead of its reads: at first and at most, in blocks.
    package var prefetchFirstBlockCount: UInt64 = 32
    package var prefetchBlockCount: UInt64 = 8192
    package var prefetchStreamCount = 4
    /// Frames that are fetched at once before anybody asks for them.
    package var prefetchFrameCount = 512
    package var warmFrameCount = 64
    /// How much of the map one question about what is stored may look at, in leaves and what takes as long.
    package var provisioningStepCount = 256
    /// A map pack is closed at this size.
    package var mapPackByteCount = 4 << 20
    /// How long HEAD is waited for before an exclusive volume serves without the bucket.
    package var openTimeoutNanoseconds: UInt64 = 2_000_000_000
    /// How long a change of settings waits for HEAD to be sent with it.
    package var amendNanoseconds: UInt64 = 60_000_000_000
    /// Of what a grown volume's size is a multiple.
    package var growthByteCount: UInt64 = 1 << 30
    /// How long a write is held when the buffer is full before BUSY.
    package var holdNanoseconds: UInt64 = 10_000_000_000
    /// The longest pause before a failed bucket request is tried again; doubles up to the maximum.
    package var retryNanoseconds: UInt64 = 200_000_000
    package var retryMaximumNanoseconds: UInt64 = 10_000_000_000
    /// How often damaged bytes are fetched again before a read fails for good.
    package var damageRetries = 3
    package init() {}
}
