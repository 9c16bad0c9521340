// SPDX-License-Identifier: Apache-2.0
package import Engine
import Messages
import Platform
package import SCSI
package import Wire

/// Work off the loop: runs `work` on a disk thread, then `completion` on the shard's thread.
package protocol DiskWork: AnyObject {
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value, then completion: @escaping (Value) -> Void)
}

/// Where the shard's answers go: the bus, or a test.
package protocol ShardOutlet: AnyObject {
    func reply(to origin: RequestOrigin, with reply: VolumeReply)
    func reply(to origin: RequestOrigin, with result: CommandResult)
    /// - Returns: false if the uploader cannot be reached any more.
    func send(_ job: UploadDispatcher.Job, to uploader: ServiceInstance) -> Bool
    func report(_ report: EngineReport, of volume: HostedVolume)
    func report(_ report: CacheReport, of cache: HostedCache)
    func report(_ report: StandbyReport, of volume: VolumeID, name: String)
}

/// The volumes of one cache manager with their uploaders: takes requests, results and time, lets the engines decide,
/// carries their effects out, until nothing moves any more. One thread; no I/O of its own but the journal's.
package final class Shard {
    package struct Settings: Sendable {
        package var gateway: GatewayID
        /// `bufferByteCount` is set for each volume.
        package var limits: EngineLimits
        /// Journal writes go straight from the loop into the page cache; false: through a disk thread.
        package var writesInline = true
        /// Packs that are put together at once, of all volumes.
        package var packCount: Int
        /// Names the run of the machine: the state of units survives a restart of the process, not all of it one of the
        /// machine.
        package var powerOn: String
        package init(gateway: GatewayID, limits: EngineLimits, packCount: Int = 8, powerOn: String = "") {
            self.gateway = gateway
            self.limits = limits
            self.packCount = packCount
            self.powerOn = powerOn
        }
    }

    package let settings: Settings
    package let registry: VolumeRegistry
    package let journals: JournalDirectories
    let disk: any DiskWork
    package let cache: HostedCache
    package private(set) lazy var snapshots = PendingSnapshots(files: snapshotFiles, shard: self)
    private let snapshotFiles: PendingSnapshotFiles
    package weak var outlet: (any ShardOutlet)?
    private let clock: () -> EngineTime
    private let random: () -> UInt64

    package internal(set) var volumes: [VolumeID: HostedVolume] = [:]
    package var dispatcher: UploadDispatcher
    var packs: PackReservations
    private var touched: [HostedVolume] = []
    private var isSettling = false
    /// Empty between rounds; kept for their memory.
    private var effects: [Effect] = []
    private var actions: [UploadDispatcher.Action] = []
    private var cacheEffects: [CacheEffect] = []
    private var nextNumber: UInt64 = 1
    var callers: [CallerToken: (Result<Head, VolumeFailure>) -> Void] = [:]
    /// What waits until nothing older can be applied.
    var barriers: [CallerToken: () -> Void] = [:]
    /// Who asks which sectors are mapped.
    var provisioningCallers: [CallerToken: (Result<[ProvisionedRange], ProvisioningFailure>) -> Void] = [:]
    /// Commands of our own, which no frontend has sent.
    var ownRequests = OwnRequests()
    var bucketCalls: [UInt64: (BucketAnswer) -> Void] = [:]
    /// The cache's jobs at uploaders.
    var frameJobs: [FrameReference: UInt64] = [:]
    /// What the cache wants fetched and may go on: a job as soon as the round's effects are through.
    var fetchRun: FetchRun?

    package init(
        settings: Settings, registry: VolumeRegistry, snapshotFiles: PendingSnapshotFiles,
        journals: JournalDirectories, disk: any DiskWork, cache: HostedCache,
        dispatcher: UploadDispatcher = UploadDispatcher(), clock: @escaping () -> EngineTime,
        random: @escaping () -> UInt64
    ) {
        self.settings = settings
        packs = PackReservations(limit: settings.packCount)
        self.registry = registry
        self.snapshotFiles = snapshotFiles
        self.journals = journals
        self.disk = disk
        self.cache = cache
        self.dispatcher = dispatcher
        self.clock = clock
        self.random = random
    }

    package var now: EngineTime { clock() }
    package func randomNumber() -> UInt64 { random() }

    /// Why no bucket job can run at all, for people; nil while jobs run or there are none.
    package var bucketProblem: String? { dispatcher.queuedJobCount > 0 ? dispatcher.waitingReason : nil }

    // MARK: Requests

    package func submit(
        _ request: VolumeRequest, payload: UnsafeRawBufferPointer, to hosted: HostedVolume, at time: EngineTime
    ) {
        guard let engine = hosted.engine else {
            // Of a volume whose journal is being recovered nothing is answered: frontends ask again.
            if hosted.problem != nil { outlet?.reply(to: request.origin, with: VolumeReply.writeError) }
            return
        }
        unsafe engine.submit(request, payload: payload, at: time)
        hosted.hasBatch = true
        touch(hosted)
    }

    /// Answered with `.good` once no older command of the nexus can be applied.
    /// - Parameters:
    ///   - former: the frontend that spoke for the nexus before, whose waiting commands go too.
    ///   - isTakenOver: a restart must not forget it, also not before its request comes again.
    package func barrier(
        _ origin: RequestOrigin, nexus: UInt64, former: ServiceInstance?, isTakenOver: Bool = false,
        on hosted: HostedVolume
    ) {
        if isTakenOver { hosted.unit.unsavedTakeOvers.insert(nexus) }
        // A copy of a task that was not aborted goes on when its command comes again.
        stopCopies(.hold, on: hosted) {
            $0.nexus == NexusID(rawValue: nexus)
        } then: { [unowned self] in
            pass(origin, nexus: nexus, former: former, on: hosted)
        }
    }

    private func pass(
        _ origin: RequestOrigin, nexus: UInt64, former: ServiceInstance?, on hosted: HostedVolume
    ) {
        let answer = { [unowned self] in
            whenSaved(hosted, restsOnIt: hosted.unit.unsavedTakeOvers.contains(nexus)) { [unowned self] in
                outlet?.reply(to: origin, with: VolumeReply.good)
            }
        }
        guard let engine = hosted.engine else { return answer() }
        let caller = CallerToken(rawValue: drawNumber())
        barriers[caller] = answer
        endBatch(hosted)
        if let former, former != origin.frontend {
            engine.barrier(frontend: former, nexus: nexus, caller: CallerToken(rawValue: drawNumber()), at: now)
        }
        engine.barrier(frontend: origin.frontend, nexus: nexus, caller: caller, at: now)
        touch(hosted)
    }

    package func revoke(_ frontend: ServiceInstance) {
        for hosted in volumes.values {
            endBatch(hosted)
            hosted.engine?.revoke(frontend, at: now)
            frontendLost(frontend, on: hosted)
            touch(hosted)
        }
    }

    // MARK: What people and other services ask of a volume

    package enum Errand {
        case commit, stop, delete
        case amend(HeadChange)
    }

    package func run(
        _ errand: Errand, on hosted: HostedVolume, then finish: @escaping (Result<Head, VolumeFailure>) -> Void
    ) {
        guard let engine = hosted.engine else {
            finish(.failure(.journalFailed(hosted.problem ?? "the journal is still being recovered")))
            return
        }
        let caller = CallerToken(rawValue: drawNumber())
        callers[caller] = finish
        endBatch(hosted)
        switch errand {
        case .commit: engine.commit(caller: caller, at: now)
        case .stop: engine.stop(caller: caller, at: now)
        case .delete: engine.delete(caller: caller, at: now)
        case .amend(let change): engine.amend(change, caller: caller, at: now)
        }
        touch(hosted)
    }

    // MARK: Time

    package func advance() {
        let time = now
        for hosted in volumes.values {
            saveAgain(hosted)
            advanceUnit(of: hosted, at: time.nanoseconds)
            guard let engine = hosted.engine, let deadline = engine.nextDeadline, deadline <= time.nanoseconds else {
                continue
            }
            engine.advance(to: time)
            touch(hosted)
        }
        if let deadline = dispatcher.nextDeadline, deadline <= time.nanoseconds {
            dispatcher.advance(to: time.nanoseconds)
        }
        if let deadline = cache.cache.nextDeadline, deadline <= time.nanoseconds {
            cache.cache.advance(to: time.nanoseconds)
        }
    }

    /// When `advance` is due, in nanoseconds of the monotonic clock.
    package var nextDeadline: UInt64? {
        var earliest = dispatcher.nextDeadline
        if let deadline = cache.cache.nextDeadline { earliest = min(earliest ?? deadline, deadline) }
        for hosted in volumes.values {
            for due in [hosted.saveAgainAt, hosted.unit.nextDeadline] {
                if let due { earliest = min(earliest ?? due, due) }
            }
            guard let deadline = hosted.engine?.nextDeadline else { continue }
            earliest = min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    // MARK: Settling

    func touch(_ hosted: HostedVolume) {
        guard !hosted.isTouched else { return }
        hosted.isTouched = true
        touched.append(hosted)
    }

    func drawNumber() -> UInt64 {
        nextNumber += 1
        return nextNumber
    }

    /// Closes batches, carries out effects and sends jobs, again and again until nothing is left to do. Called once
    /// after each round of input.
    package func settle() {
        // An answer given inside may lead back here; the loop outside goes on with it.
        guard !isSettling else { return }
        isSettling = true
        // Taken out while they are walked through, because what is done on the way may look at them.
        var (effects, actions, cacheEffects) = (self.effects, self.actions, self.cacheEffects)
        (self.effects, self.actions, self.cacheEffects) = ([], [], [])
        defer {
            (self.effects, self.actions, self.cacheEffects) = (effects, actions, cacheEffects)
            isSettling = false
        }
        while true {
            while let hosted = touched.popLast() {
                hosted.isTouched = false
                guard let engine = hosted.engine else { continue }
                endBatch(hosted)
                engine.takeEffects(&effects)
                for effect in effects { perform(effect, of: hosted) }
                effects.removeAll(keepingCapacity: true)
                announceOpening(of: hosted)
            }
            cache.cache.takeEffects(&cacheEffects)
            for effect in cacheEffects { perform(effect) }
            submitFetchRun()
            dispatcher.takeActions(&actions)
            if actions.isEmpty && cacheEffects.isEmpty { return }
            cacheEffects.removeAll(keepingCapacity: true)
            for action in actions { carryOut(action) }
            actions.removeAll(keepingCapacity: true)
        }
    }

    func endBatch(_ hosted: HostedVolume) {
        guard hosted.hasBatch, let engine = hosted.engine else { return }
        hosted.hasBatch = false
        engine.endOfBatch(at: now)
    }

    private func carryOut(_ action: UploadDispatcher.Action) {
        switch action {
        case .send(let job, let uploader):
            if outlet?.send(job, to: uploader) != true { dispatcher.lost(uploader, at: now.nanoseconds) }
        case .finish(let job, let outcome): deliver(outcome, payloads: [], of: job)
        }
    }

    func announceOpening(of hosted: HostedVolume) {
        guard !hosted.whenOpen.isEmpty, let outcome = hosted.openingOutcome() else { return }
        let waiting = hosted.whenOpen
        hosted.whenOpen = []
        for tell in waiting { tell(outcome) }
    }
}
