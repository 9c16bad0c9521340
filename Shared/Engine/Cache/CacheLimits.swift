// SPDX-License-Identifier: Apache-2.0

/// Every size and time of the read cache. The simulator uses tiny ones so that rare paths are common.
package struct CacheLimits: Sendable, Equatable {
    /// One file, and the unit in which space is recycled. At most 32 MiB: what an index entry can address.
    package var regionByteCount = 16 << 20
    /// What is collected in memory before it is written.
    package var chunkByteCount = 1 << 20
    /// Chunks of one region on their way to the disk; beyond it frames are not kept, because the disk is too slow.
    package var chunksInFlight = 8
    /// Memory of index and ghosts; bounds how many frames can be kept.
    package var indexByteCount = 64 << 20
    /// Part of the regions that frames pass through before they have been read twice.
    package var probationPercent = 10
    /// Regions that are kept free, so that frames carried over always find room.
    package var reservedRegionCount = 3
    /// A read that takes longer is answered from the bucket.
    package var readNanoseconds: UInt64 = 1_000_000_000
    /// A directory is not used any more if it says nothing for this long while it is opened.
    package var openNanoseconds: UInt64 = 60_000_000_000
    /// A chunk that is not full is written after this time, for the next start to find.
    package var flushNanoseconds: UInt64 = 1_000_000_000
    /// Failed or late operations after which a directory is not used any more.
    package var errorLimit = 8
    /// How often in a row a region that is mostly in use is kept whole before one is recycled regardless.
    package var keptInARow = 8
    package init() {}

    package static let largestRegionByteCount = 32 << 20
}
