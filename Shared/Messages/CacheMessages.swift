// SPDX-License-Identifier: Apache-2.0

/// The read cache as its cache manager sees it now.
package struct CacheDescription: Codable, Sendable, Equatable {
    package enum DirectoryState: UInt8, Codable, Sendable {
        /// Its files are being looked at.
        case opening = 1
        case inUse = 2
        /// Turned off after repeated errors.
        case off = 3
    }
    package struct Directory: Codable, Sendable, Equatable {
        package var path: String
        package var state: DirectoryState
        package var byteCount: UInt64
        package var usedByteCount: UInt64
        package var errorCount: UInt32
        package init(
            path: String, state: DirectoryState, byteCount: UInt64, usedByteCount: UInt64, errorCount: UInt32
        ) {
            self.path = path
            self.state = state
            self.byteCount = byteCount
            self.usedByteCount = usedByteCount
            self.errorCount = errorCount
        }
    }
    package var directories: [Directory]
    /// Of all directories together: what was asked for.
    package var byteCount: UInt64
    package var usedByteCount: UInt64
    package var frameCount: UInt64
    package var indexByteCount: UInt64
    package var indexUsedByteCount: UInt64
    package var hitCount: UInt64
    package var missCount: UInt64
    /// Frames whose bytes were not what was written.
    package var damagedCount: UInt64
    /// Directories and size are the configuration's, not set while running.
    package var isConfigured: Bool
    package init(
        directories: [Directory], byteCount: UInt64, usedByteCount: UInt64, frameCount: UInt64, indexByteCount: UInt64,
        indexUsedByteCount: UInt64, hitCount: UInt64, missCount: UInt64, damagedCount: UInt64, isConfigured: Bool
    ) {
        self.directories = directories
        self.byteCount = byteCount
        self.usedByteCount = usedByteCount
        self.frameCount = frameCount
        self.indexByteCount = indexByteCount
        self.indexUsedByteCount = indexUsedByteCount
        self.hitCount = hitCount
        self.missCount = missCount
        self.damagedCount = damagedCount
        self.isConfigured = isConfigured
    }
}

package struct CacheShowRequest: BusRequest {
    package typealias Reply = CacheDescription
    package static let kind = MessageKind.cacheShow
    package init() {}
}

/// Changes directories or size while the cache is in use. Remembered until the configuration changes.
package struct CacheChangeRequest: BusRequest {
    package typealias Reply = CacheDescription
    package static let kind = MessageKind.cacheChange
    package enum Change: Codable, Sendable, Equatable {
        /// `byteCount`: by how much all directories together grow; nil: the same size is spread over one more.
        case add(directory: String, byteCount: UInt64?)
        case remove(directory: String)
        /// Of all directories together.
        case resize(byteCount: UInt64)
    }
    package var change: Change
    package init(_ change: Change) { self.change = change }
}

/// Starts to put the frames of a volume's committed image into the read cache, or stops it. Answers at once; the
/// volume's description tells how far it has come.
package struct VolumeWarmRequest: BusRequest {
    package typealias Reply = VolumeDescription
    package static let kind = MessageKind.volumeWarm
    package var volume: VolumeReference
    /// In bytes from the volume's start; nil = all of it.
    package var byteOffset: UInt64?
    package var byteCount: UInt64?
    package var isCancelled: Bool
    package init(
        volume: VolumeReference, byteOffset: UInt64? = nil, byteCount: UInt64? = nil, isCancelled: Bool = false
    ) {
        self.volume = volume
        self.byteOffset = byteOffset
        self.byteCount = byteCount
        self.isCancelled = isCancelled
    }
}

/// Where a volume's reads found their bytes since it was opened.
package struct VolumeReadFigures: Codable, Sendable, Equatable {
    package var readCount: UInt64
    /// Reads for which nothing had to be fetched from the bucket.
    package var localReadCount: UInt64
    package var journalByteCount: UInt64
    package var memoryByteCount: UInt64
    package var cacheByteCount: UInt64
    package var bucketByteCount: UInt64
    package var prefetchedByteCount: UInt64
    package var warming: Warming?

    package struct Warming: Codable, Sendable, Equatable {
        package var isRunning: Bool
        /// How it ended, for people.
        package var outcome: String
        package var byteCount: UInt64
        package var doneByteCount: UInt64
        package var fetchedByteCount: UInt64
        package var fetchedFrameCount: UInt64
        package var presentFrameCount: UInt64
        /// What it waits for, or why it ended before it had everything, for people; nil: nothing is wrong.
        package var problem: String?
        package init(
            isRunning: Bool, outcome: String, byteCount: UInt64, doneByteCount: UInt64, fetchedByteCount: UInt64,
            fetchedFrameCount: UInt64, presentFrameCount: UInt64, problem: String? = nil
        ) {
            self.isRunning = isRunning
            self.outcome = outcome
            self.byteCount = byteCount
            self.doneByteCount = doneByteCount
            self.fetchedByteCount = fetchedByteCount
            self.fetchedFrameCount = fetchedFrameCount
            self.presentFrameCount = presentFrameCount
            self.problem = problem
        }
    }

    package init(
        readCount: UInt64, localReadCount: UInt64, journalByteCount: UInt64, memoryByteCount: UInt64,
        cacheByteCount: UInt64, bucketByteCount: UInt64, prefetchedByteCount: UInt64, warming: Warming? = nil
    ) {
        self.readCount = readCount
        self.localReadCount = localReadCount
        self.journalByteCount = journalByteCount
        self.memoryByteCount = memoryByteCount
        self.cacheByteCount = cacheByteCount
        self.bucketByteCount = bucketByteCount
        self.prefetchedByteCount = prefetchedByteCount
        self.warming = warming
    }
}
