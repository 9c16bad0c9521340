// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

/// Ties an effect of the cache to the event that answers it. Unique within a cache's run.
package struct CacheToken: Hashable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// A cache directory, numbered by the driver, which knows its path. A number is not used again within a run.
package struct CacheDirectoryID: Hashable, Comparable, Sendable {
    package var rawValue: UInt32
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One region's file: of `CacheLimits.regionByteCount`, made by the first write if it is not there.
package struct CacheFile: Hashable, Sendable {
    package var directory: CacheDirectoryID
    package var number: UInt32
    package init(directory: CacheDirectoryID, number: UInt32) {
        self.directory = directory
        self.number = number
    }
}

/// Which volume waits for a frame, and the effect by which it asked.
package struct CacheWaiter: Hashable, Sendable {
    package var volume: VolumeID
    package var token: EffectToken
    package init(volume: VolumeID, token: EffectToken) {
        self.volume = volume
        self.token = token
    }
}

/// What a frame is wanted for. Where requests have to wait, those that nobody waits for wait longest.
package enum FetchUrgency: UInt8, Comparable, Sendable {
    /// Somebody will perhaps read it.
    case background = 0
    /// Somebody waits.
    case demand = 1
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Where a frame came from.
package enum FrameSource: Sendable { case cache, bucket }

/// What became of a frame that was to be put into the cache before anybody reads it.
package enum WarmedFrame: Sendable, Equatable {
    case present
    case stored(byteCount: Int)
    /// Keeping it would have cost others their place.
    case noRoom
    /// Not now: the directories are being opened, or do not write as fast as frames come.
    case busy
    case notInUse
}

/// What the cache wants done. Each effect with a token is answered with exactly one `CacheEvent`.
package enum CacheEffect {
    // To volumes; not answered.
    case answer(CacheWaiter, Result<FrameContents, BucketFailure>, from: FrameSource)
    case warmed(CacheWaiter, Result<WarmedFrame, BucketFailure>)
    case answerNode(CacheWaiter, Result<[UInt8], BucketFailure>, from: FrameSource)

    // The bucket. Answered with `.fetched`.
    case fetch(FrameReference, FetchUrgency)
    /// Answered under the node's `cacheKey`, with the bytes that it names.
    case fetchNode(NodePointer, FetchUrgency)
    /// Somebody waits now for a frame, or the node of this `cacheKey`, that was asked for in the background; not
    /// answered.
    case hasten(FrameReference)

    // The disk.

    /// Look into the directory: answered with `.found` any number of times, then `.opened`.
    case open(CacheDirectoryID)
    /// Write the whole buffer; a missing file is made first. Answered with `.written`.
    case write(CacheToken, CacheFile, byteOffset: Int, IOBuffer, byteCount: Int)
    /// Answered with `.read`; fewer bytes are a failure.
    case read(CacheToken, CacheFile, byteOffset: Int, byteCount: Int)
    /// Remove the file, if it is there; not answered.
    case discard(CacheFile)

    /// For the log.
    case report(CacheReport)
}

package enum CacheEvent {
    /// The payload is an encoded `FrameContents`, or a map node as it lies in its pack.
    case fetched(FrameReference, Result<[UInt8], BucketFailure>)
    case found(CacheFile, CacheRegionScan)
    case opened(CacheDirectoryID, Result<Void, CacheDirectoryFailure>)
    case written(CacheToken, Result<Void, SystemError>)
    case read(CacheToken, Result<[UInt8], SystemError>)
}

/// Why a directory cannot be used.
package enum CacheDirectoryFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case system(SystemError)
    /// Somebody else has locked it.
    case inUse(String)

    package var description: String {
        switch self {
        case .system(let error): error.description
        case .inUse(let path):
            "\(path) is used by another gateway, and two cannot share it; give each cache.directories of its own"
        }
    }
}

/// Something an operator should see.
package enum CacheReport: Sendable, Equatable {
    case opened(CacheDirectoryID, frames: Int, byteCount: UInt64)
    /// The directory is not used any more.
    case directoryOff(CacheDirectoryID, reason: String)
    /// A region of it was thrown away when it was opened; told of the first one only.
    case damagedRegion(CacheFile, reason: String)
    /// The directory has no room for all that it was to hold; the cache is smaller than configured.
    case outOfSpace(CacheDirectoryID)
    /// With frames of the present sizes the index is full before the disk is.
    case indexFull(frames: Int, byteCount: UInt64)
}

/// What the cache has done since it began, and what it holds now.
package struct CacheStatistics: Equatable, Sendable {
    package var hitCount: UInt64 = 0
    package var hitByteCount: UInt64 = 0
    package var missCount: UInt64 = 0
    /// Of map nodes, which the counts of frames leave out.
    package var nodeHitCount: UInt64 = 0
    package var nodeMissCount: UInt64 = 0
    /// Requests that joined one that was under way.
    package var joinedCount: UInt64 = 0
    package var storedCount: UInt64 = 0
    package var storedByteCount: UInt64 = 0
    /// Frames not kept, for want of room in index, regions or write buffers.
    package var refusedCount: UInt64 = 0
    package var carriedByteCount: UInt64 = 0
    package var recycledCount: UInt64 = 0
    package var keptCount: UInt64 = 0
    /// Frames whose bytes did not verify.
    package var damagedCount: UInt64 = 0
    package var failedReadCount: UInt64 = 0
    package var lateReadCount: UInt64 = 0
    package var failedWriteCount: UInt64 = 0

    package var frameCount = 0
    package var usedByteCount: UInt64 = 0
    package var byteCount: UInt64 = 0
    package var indexUsedByteCount = 0
    package var indexByteCount = 0
    package init() {}
}
