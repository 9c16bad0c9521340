// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
package import Wire

/// How a volume comes to life.
package enum VolumeOpening {
    /// A volume that does not exist in the bucket: HEAD is created under If-None-Match. The head is complete (its
    /// root may be a snapshot's).
    case create(Head)
    /// Take the volume over from whoever owns it: HEAD as read, replaced under If-Match with a higher generation.
    case takeOver(Head, EntityTag, by: GatewayID)
    /// It was ours when this machine last ran: local state and recovered journal.
    case resume(LocalState, RecoveredJournal)
}

/// One volume's storage engine: journal, dirty map, commits, reading (STORAGE §3-§5, §8). Sans-I/O: it takes requests,
/// events and time, and leaves effects for its driver, which is the cache manager's shard or the simulator. All calls
/// come from one thread.
///
/// The driver's loop: `submit` for each request that is there, then `endOfBatch` once; `handle` for each event;
/// `advance` at `nextDeadline`; after any of these, `takeEffects` and carry them out. Effects may be answered at once.
package final class Volume {
    enum Phase: Equatable {
        case opening
        case serving
        case stopping
        case stopped
        case fenced(String)
        case failed(String)
    }

    private(set) var limits: EngineLimits
    var effects = EffectQueue()
    var random: EngineRandom
    var phase = Phase.opening
    var opening: OpeningState
    var statisticsCounters = VolumeStatistics()
    /// Broken rules; only the simulator passes any.
    let mutants: Mutants

    /// The newest HEAD known to be in the bucket, and its version.
    package internal(set) var head: Head
    /// What is in effect: what both HEAD and the local state say.
    package internal(set) var settings: HeadSettings
    package var byteCount: UInt64 { settings.byteCount }
    var headTag: EntityTag?
    /// Raised durably before the first upload of this run; nil until then.
    var start: UInt32?
    var packNumber: UInt32 = 0

    var journal: Journal
    /// Newest changes, then those being committed, oldest first (at most two).
    var active = DirtyLayer()
    var frozen: Deque<DirtyLayer> = []
    /// Committed blocks whose journal segments still exist.
    var clean = BlockTable<DirtyEntry>()
    var map: CommittedMap
    /// Counts how often blocks got other contents in the committed map.
    var imageNumber: UInt64 = 0
    var frames: FrameCache

    /// Requests that change the volume and are not answered yet.
    var inProgress: Set<RequestOrigin> = []
    /// Published, waiting to be durable.
    var durabilityWaiters: Deque<(sequence: JournalSequence, origin: RequestOrigin)> = []
    var barriers: [(ordinal: UInt64, caller: CallerToken)] = []
    /// Commands that wait: for the volume to open, for a turn under back-pressure, for one that reads first to end.
    var waitingForOpen: [HeldRequest] = []
    var provisioningWaitingForOpen: [ProvisioningQuery] = []
    var held: Deque<HeldRequest> = []
    var isHeldForRoom = false
    var blocked: [HeldRequest] = []
    var modifications: [RequestOrigin: ReadModifyWrite] = [:]
    /// Commands that were to change something and did not, while they may come again: then they might.
    var refusals: [ServiceInstance: [(number: UInt64, answer: VolumeReply)]] = [:]
    var backPressure = BackPressure()

    var journalReads: [EffectToken: JournalRead] = [:]
    var fetches = Fetches()
    var prefetch = Prefetch()
    var warming: Warming?
    var upperLevels = UpperLevels()
    var commit: Commit?
    var commitCallers = CommitCallers()
    var cuts = CutState()
    var amendments = AmendmentState()
    var publication: HeadPublication?
    var packMemory = PackMemory()
    var packReads: [EffectToken: PackBuild] = [:]
    var packPuts: [EffectToken: PackBuild] = [:]
    /// Of a volume that is owned by lease.
    var lease: Lease?
    var foldRun: FoldRun?
    /// Why folding does not get on, for people.
    var foldProblem: String?
    /// A fold failed and is tried again later.
    var isFoldDelayed = false
    /// Since when there are packs that no fold has begun to take in.
    var unfoldedSince: UInt64
    /// When the active layer got its first record.
    var activeSince: UInt64 = 0
    /// The HEAD that ends this run is in the bucket.
    var isEndPublished = false
    /// The local state being written, and whether it is out of date already.
    var stateSave: (token: EffectToken, head: Head, cleanThrough: JournalSequence, settledIntent: JournalSequence)?
    var isStateStale = false
    /// No layer holds a record up to here any more. HEAD may say more, if a commit turned out to have been published
    /// before the crash.
    var cleanThrough: JournalSequence
    /// The outcome of every commit whose intent is up to here is known.
    var settledIntent = JournalSequence.zero
    /// What `start` will be once the local state says so.
    var pendingStart: UInt32 = 0
    var retries: [(due: UInt64, action: RetryAction)] = []

    /// - Parameter seed: for commit ids; the driver draws it, so that the engine has no randomness of its own.
    package init(
        _ opening: VolumeOpening, limits: EngineLimits, seed: UInt64, at time: EngineTime, mutants: Mutants = []
    ) {
        self.limits = limits
        self.mutants = mutants
        random = EngineRandom(state: seed)
        var recovered = RecoveredJournal()
        var firstOpenIntent: JournalSequence?
        var formerRuns: [LeaseRun] = []
        switch opening {
        case .create(let head):
            self.head = head
            self.opening = OpeningState(kind: .create, startedAt: time.nanoseconds)
        case .takeOver(let base, let tag, let owner):
            var head = base
            head.generation = Generation(base.generation.rawValue + 1)
            head.owner = owner
            head.commit = random.commitID()
            head.commitNumber += 1
            head.cleanShutdown = false
            self.head = head
            self.opening = OpeningState(kind: .takeOver(tag), startedAt: time.nanoseconds)
        case .resume(let state, let journal):
            head = state.head
            headTag = state.headTag
            recovered = journal
            formerRuns = state.leaseRuns ?? []
            self.opening = OpeningState(kind: .resume(start: state.start), startedAt: time.nanoseconds)
            let open = journal.intents.filter { $0.intent.commitNumber > state.head.commitNumber }
            self.opening.lateCommits = Set(open.map(\.intent.commit))
            firstOpenIntent = open.first?.record
        }
        settings = head.settings
        journal = Journal(
            volume: head.volume, generation: head.generation, limits: limits, recovered: recovered,
            above: head.journalSequence)
        journal.store.recyclableSequence = head.journalSequence
        unfoldedSince = time.nanoseconds
        cleanThrough = head.journalSequence
        settledIntent = firstOpenIntent.map { JournalSequence($0.rawValue - 1) } ?? journal.publishedSequence
        journal.mutants = mutants
        active = recovered.dirty
        frozen = Deque(recovered.frozen)
        commitCallers.frozen = Deque(repeating: [], count: recovered.frozen.count)
        map = CommittedMap(
            root: head.root, volumeByteCount: head.byteCount, foldNumber: head.foldNumber, lineage: head.lineage,
            nodeCacheByteCount: limits.nodeCacheByteCount)
        frames = FrameCache(byteCount: limits.frameCacheByteCount)
        if head.ownership == .lease, let milliseconds = head.leaseMilliseconds {
            lease = Lease(
                milliseconds: milliseconds, run: LeaseRun(rawValue: random.next()), formerRuns: formerRuns)
        }
        absorb(recovered.clean)
        beginOpening(recovered, at: time)
    }

    // MARK: What the driver calls

    /// Takes what is to be done, in order.
    package func takeEffects(_ effects: inout [Effect]) { self.effects.drain(into: &effects) }

    /// Call once after the requests that were there: what they wrote goes to the journal as one record.
    package func endOfBatch(at time: EngineTime) {
        updateLease(at: time)
        pump(time)
    }

    /// When `advance` is due, on `EngineTime.nanoseconds`.
    package var nextDeadline: UInt64? {
        var due = retries.map(\.due).min()
        func consider(_ time: UInt64?) {
            if let time { due = min(due ?? time, time) }
        }
        consider(cuts.writesHeldUntil)
        if let first = held.first {
            // Without room only the end of the hold is worth waking up for: a commit makes room by an event.
            consider(isHeldForRoom || cuts.writesHeldUntil != nil ? nil : first.admission)
            consider(first.submittedAt + limits.holdNanoseconds)
        }
        consider(commitDue)
        consider(foldDue)
        consider(renewalDue)
        consider(lapseDue)
        consider(amendments.deadline)
        if foldRun != nil, let ending = commitCallers.ending, ending.foldDeadline > 0 {
            consider(ending.foldDeadline)
        }
        consider(opening.deadline)
        consider(fetches.earliestDeadline == .max ? nil : fetches.earliestDeadline)
        return due
    }

    package func advance(to time: EngineTime) {
        updateLease(at: time)
        let due = retries.filter { $0.due <= time.nanoseconds }
        retries.removeAll { $0.due <= time.nanoseconds }
        for (_, action) in due { retry(action, at: time) }
        expireOpening(at: time)
        expireReads(at: time)
        expireAmendments(at: time)
        if let ending = commitCallers.ending, ending.foldDeadline <= time.nanoseconds {
            commitCallers.ending?.foldDeadline = 0
        }
        if let end = cuts.writesHeldUntil, end <= time.nanoseconds { cuts.writesHeldUntil = nil }
        pump(time)
    }

    package func handle(_ event: EngineEvent, at time: EngineTime) {
        updateLease(at: time)
        switch event {
        case .segmentPrepared(let token, let result): segmentPrepared(token, result, at: time)
        case .diskWrite(let token, let result): diskWrite(token, result, at: time)
        case .diskRead(let token, let result): diskRead(token, result, at: time)
        case .packReserved: packReserved(at: time)
        case .packStored(let token, let result): packStored(token, result, at: time)
        case .objectStored(let token, let result): objectStored(token, result, at: time)
        case .object(let token, let result): object(token, result, at: time)
        case .range(let token, let result): range(token, result, from: .bucket, at: time)
        case .node(let token, let result, let source): range(token, result, from: source, at: time)
        case .frame(let token, let result, let source): frame(token, result, from: source, at: time)
        case .frameWarmed(let token, let result): frameWarmed(token, result, at: time)
        }
        pump(time)
    }

    /// The volume's part of the memory for frames and map nodes has changed.
    package func share(frameCacheByteCount: Int, nodeCacheByteCount: Int) {
        limits.frameCacheByteCount = frameCacheByteCount
        limits.nodeCacheByteCount = nodeCacheByteCount
        frames.resize(byteCount: frameCacheByteCount)
        map.resizeCache(byteLimit: nodeCacheByteCount)
    }

    package var statistics: VolumeStatistics {
        var result = statisticsCounters
        result.phase = reportedPhase
        result.commitDelayReason = commit?.delayReason
        result.dirtyByteCount = UInt64(dirtyBlockCount) * UInt64(Geometry.blockByteCount)
        result.oldestDirtyMilliseconds =
            (frozen.first ?? active).isEmpty ? nil : (frozen.first ?? active).firstWallMilliseconds
        result.bufferUsedByteCount = min(
            journal.store.totalByteCount, UInt64((bufferFill * Double(journal.store.totalByteCount)).rounded()))
        result.bufferByteCount = journal.store.totalByteCount
        result.mapByteCount = map.byteCount
        result.warming = warming?.progress
        result.lease = lease.map { LeaseStatistics(isHeld: !$0.isLapsed, lapseCount: $0.lapseCount) }
        return result
    }

    // MARK: Moving on

    /// Everything that may have become possible: places for records, syncs, held commands, the next commit.
    func pump(_ time: EngineTime) {
        guard isAlive else { return }
        journal.flush(&effects, at: time)
        journal.pump(&effects)
        if let failure = journal.failure { return fail("\(failure)") }
        guard phase != .opening else { return }
        pumpUpperLevels()
        pumpPrefetch()
        pumpWarming()
        releaseHeld(at: time)
        advanceCommit(at: time)
        advanceLease(at: time)
        journal.flush(&effects, at: time)
        journal.pump(&effects)
    }

    /// Neither fenced, failed nor stopped.
    var isAlive: Bool {
        switch phase {
        case .opening, .serving, .stopping: true
        case .stopped, .fenced, .failed: false
        }
    }

    /// Blocks that are read from the journal although the bucket has them.
    package var cleanBlockCount: Int { clean.count }

    /// Pieces of reads that wait for the bucket.
    package var waitCount: Int { fetches.waitCount }

    var dirtyIndexByteCount: Int { active.indexByteCount + frozen.reduce(0) { $0 + $1.indexByteCount } }

    var dirtyBlockCount: Int { active.blockCount + frozen.reduce(0) { $0 + $1.blockCount } }

    private var reportedPhase: VolumeStatistics.Phase {
        switch phase {
        case .opening: .opening
        case .serving:
            (journal.store.lastFailure.map { "\($0)" } ?? commit?.delayReason ?? foldProblem ?? opening.delayReason
                ?? lapseReason)
                .map { .stalled($0) } ?? .serving
        case .stopping: .stopping
        case .stopped: .stopped
        case .fenced(let reason): .fenced(reason)
        case .failed(let reason): .failed(reason)
        }
    }

    private var lapseReason: String? {
        lease?.isLapsed == true ? "the lease on the volume has not been renewed; nothing is acknowledged" : nil
    }

    /// Moves what a committed layer says into the clean table.
    func absorb(_ layer: DirtyLayer) {
        for range in layer.zeroRanges.ranges { clean.removeAll(in: range) }
        // In the order of one table's slots into a smaller one they would all land in one place.
        clean.reserveCapacity(clean.count + layer.table.count)
        layer.table.forEach { block, entry in
            if entry.isZero || entry.partialIndex != nil { clean.remove(block) } else { clean[block] = entry }
        }
        // Entries outlive their segments until the sweep comes by. A table has at most three slots for each entry, so
        // with six swept for each that is added, what is gone never takes more room than what is there.
        let oldest = journal.store.oldestID
        clean.sweep(slotCount: 6 * layer.table.count) { $0.segment < oldest }
    }

    func later(_ action: RetryAction, after nanoseconds: UInt64, at time: EngineTime) {
        retries.append((time.nanoseconds + nanoseconds, action))
    }
}
