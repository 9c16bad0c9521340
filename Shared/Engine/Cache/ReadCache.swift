// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
package import Wire

/// The read cache of a shard: frames and map nodes that were fetched from the bucket, kept on local disks (STORAGE §5).
/// Keyed by pack and frame, which never change, so nothing in it is ever stale, clones share it, and losing it loses
/// nothing.
///
/// Volumes ask it for frames; it answers from its regions or asks the bucket, once for all who want the same. Space is
/// recycled region by region in the order of S3-FIFO: what was read once passes through a small queue, what was read
/// again is carried over into the main one, and what comes back soon after it left goes there at once. So one scan
/// flushes nothing but what other scans left.
///
/// Sans-I/O, like the volume: events and time come in, effects come out. Whatever the disk does, a frame is verified
/// before it is believed, and what cannot be had from it is fetched from the bucket. One thread.
package final class ReadCache {
    struct Flight {
        enum Stage: Equatable {
            case reading(CacheToken)
            case fetching
        }
        var stage: Stage
        var urgency: FetchUrgency
        var waiters: [CacheWaiter] = []
        /// Those that want it to be in the cache, not to have it.
        var warmers: [CacheWaiter] = []
        /// nil: a frame.
        var node: NodePointer?
    }

    enum ReadPurpose {
        case frame(FrameReference, CacheLocation)
        /// The list of a region that is being recycled.
        case tail
        /// Frames of it that are carried over.
        case span([CacheRegionFormat.Entry], byteOffset: Int)
    }
    struct PendingRead {
        var region: Int
        var purpose: ReadPurpose
    }

    package let limits: CacheLimits
    /// Broken rules; only the simulator passes any.
    let mutants: Mutants
    var index: CacheIndex
    var ghosts: GhostSet
    var regions: [CacheRegion] = []
    /// Numbers of regions that are gone, to be given to others.
    var vacant: [Int] = []
    /// Regions that may be written; those of all directories in turn.
    var free: Deque<Int> = []
    /// Full regions, oldest first.
    var probation: Deque<Int> = []
    var main: Deque<Int> = []
    var probationWriter: RegionWriter?
    var mainWriter: RegionWriter?
    var recycling: Recycling?
    /// Regions kept whole since one was recycled.
    var keptInARow = 0
    var directories: [CacheDirectoryID: CacheDirectory] = [:]
    var nextSequence: UInt64 = 1
    var flights: [FrameReference: Flight] = [:]
    var reads: [CacheToken: PendingRead] = [:]
    /// Frame reads in the order of their deadlines; those that were answered are still in it.
    var readDeadlines: Deque<(due: UInt64, token: CacheToken)> = []
    /// Which region a write belongs to.
    var writes: [CacheToken: Int] = [:]
    var counters = CacheStatistics()
    var hasReportedFullIndex = false
    private var effects: [CacheEffect] = []
    private var lastToken: UInt64 = 0

    /// Memory that one frame costs: a place in the index, three quarters full, and one among the ghosts.
    package static let indexByteCountPerFrame = CacheIndex.entryByteCount * 4 / 3 + 4

    package init(limits: CacheLimits, mutants: Mutants = []) {
        precondition(limits.regionByteCount <= CacheLimits.largestRegionByteCount)
        self.limits = limits
        self.mutants = mutants
        let frameLimit = max(1, limits.indexByteCount / Self.indexByteCountPerFrame)
        index = CacheIndex(limit: frameLimit)
        ghosts = GhostSet(count: frameLimit)
    }

    // MARK: What the driver calls

    package func takeEffects(_ taken: inout [CacheEffect]) {
        taken.append(contentsOf: effects)
        effects.removeAll(keepingCapacity: true)
    }

    /// Answered with `.answer`.
    package func get(_ frame: FrameReference, _ urgency: FetchUrgency, for waiter: CacheWaiter, at now: UInt64) {
        if flights[frame] != nil { return join(frame, urgency, waiter) }
        begin(frame, Flight(stage: .fetching, urgency: urgency, waiters: [waiter]), at: now)
    }

    /// A map node; answered with `.answerNode`.
    package func get(_ node: NodePointer, _ urgency: FetchUrgency, for waiter: CacheWaiter, at now: UInt64) {
        let key = node.cacheKey
        if flights[key] != nil { return join(key, urgency, waiter) }
        begin(key, Flight(stage: .fetching, urgency: urgency, waiters: [waiter], node: node), at: now)
    }

    /// Somebody waits now for a node that was asked for in the background.
    package func hasten(_ node: NodePointer) { raise(node.cacheKey, to: .demand) }

    private func begin(_ frame: FrameReference, _ flight: Flight, at now: UInt64) {
        flights[frame] = flight
        let hash = frame.cacheHash
        guard let location = index.location(of: hash) else { return fetch(frame) }
        // Read a moment after it was fetched: that says nothing about whether it will be read again.
        if let bytes = unwrittenBytes(at: location) { return finishRead(of: frame, at: location, bytes) }
        if let uses = index.uses(of: hash, at: location), uses < CacheIndex.mostUses {
            index.setUses(uses + 1, of: hash, at: location)
        }
        let token = read(
            location.region, byteOffset: location.byteOffset, byteCount: location.byteCount, .frame(frame, location))
        readDeadlines.append((now &+ limits.readNanoseconds, token))
        flights[frame]?.stage = .reading(token)
    }

    private func join(_ frame: FrameReference, _ urgency: FetchUrgency, _ waiter: CacheWaiter) {
        counters.joinedCount += 1
        flights[frame]?.waiters.append(waiter)
        raise(frame, to: urgency)
    }

    private func raise(_ frame: FrameReference, to urgency: FetchUrgency) {
        guard let flight = flights[frame], flight.urgency < urgency else { return }
        flights[frame]?.urgency = urgency
        if flight.stage == .fetching { append(.hasten(frame)) }
    }

    /// Puts a frame into the cache if it is not there and would not cost another its place. Answered with `.warmed`.
    package func warm(_ frame: FrameReference, for waiter: CacheWaiter, at now: UInt64) {
        if flights[frame] != nil {
            flights[frame]?.warmers.append(waiter)
        } else if index.location(of: frame.cacheHash) != nil {
            append(.warmed(waiter, .success(.present)))
        } else if let refusal = refusalToWarm {
            append(.warmed(waiter, .success(refusal)))
        } else {
            flights[frame] = Flight(stage: .fetching, urgency: .background, warmers: [waiter])
            append(.fetch(frame, .background))
        }
    }

    /// The volume is gone: nobody waits for what it asked for.
    package func forget(_ volume: VolumeID) {
        for frame in Array(flights.keys) {
            flights[frame]?.waiters.removeAll { $0.volume == volume }
            flights[frame]?.warmers.removeAll { $0.volume == volume }
        }
    }

    package func handle(_ event: CacheEvent, at now: UInt64) {
        switch event {
        case .fetched(let frame, let result): fetched(frame, result, at: now)
        case .found(let file, let scan): found(file, scan, at: now)
        case .opened(let directory, let result): opened(directory, result)
        case .written(let token, let result): written(token, result)
        case .read(let token, let result): didRead(token, result, at: now)
        }
        recycleIfNeeded()
    }

    package var nextDeadline: UInt64? {
        var due = readDeadlines.first?.due
        for other in [probationWriter?.flushDue, mainWriter?.flushDue, nextOpeningDue] {
            if let other { due = min(due ?? other, other) }
        }
        return due
    }

    package func advance(to now: UInt64) {
        while let first = readDeadlines.first, first.due <= now {
            readDeadlines.removeFirst()
            giveUpWaiting(first.token)
        }
        for queue in [CacheQueue.probation, .main] {
            if let due = writer(queue)?.flushDue, due <= now { flush(queue) }
        }
        giveUpOpening(at: now)
    }

    /// Writes everything that is only in memory, lists included, so that the next start finds all of it.
    package func finish() {
        for queue in [CacheQueue.probation, .main] { seal(queue) }
    }

    package var statistics: CacheStatistics {
        var statistics = counters
        statistics.frameCount = index.count
        for region in regions {
            switch region.state {
            case .open, .full, .recycling: statistics.usedByteCount += UInt64(region.usedByteCount)
            default: break
            }
        }
        statistics.byteCount = directories.values.reduce(0) { $0 + UInt64($1.regionLimit * limits.regionByteCount) }
        statistics.indexUsedByteCount = index.count * Self.indexByteCountPerFrame
        statistics.indexByteCount = index.byteCount + ghosts.byteCount
        return statistics
    }

    // MARK: Effects

    func append(_ effect: CacheEffect) { effects.append(effect) }

    func nextToken() -> CacheToken {
        lastToken += 1
        return CacheToken(rawValue: lastToken)
    }

    /// Asks the disk for part of a region.
    @discardableResult
    func read(_ number: Int, byteOffset: Int, byteCount: Int, _ purpose: ReadPurpose) -> CacheToken {
        let token = nextToken()
        regions[number].readerCount += 1
        reads[token] = PendingRead(region: number, purpose: purpose)
        append(.read(token, regions[number].file, byteOffset: byteOffset, byteCount: byteCount))
        return token
    }
}
