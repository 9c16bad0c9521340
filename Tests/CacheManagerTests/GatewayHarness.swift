// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Messages
import Platform
import SCSI
import TestSupport
import Testing
import Wire

/// Work of disk threads, done at once; what follows from it waits for `run`, as on a loop.
final class ManualDisk: DiskWork {
    private var completions: [() -> Void] = []

    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value, then completion: @escaping (Value) -> Void) {
        let value = work()
        completions.append { completion(value) }
    }

    /// - Returns: false if there was nothing to do.
    func runAll() -> Bool {
        let taken = completions
        completions = []
        for completion in taken { completion() }
        return !taken.isEmpty
    }
}

/// A cache manager without threads and sockets: real files in a directory of its own, a bucket in memory, a clock
/// that only tests move. `restart` is what SIGKILL and a new start do.
final class GatewayHarness: ShardOutlet {
    static let frontend = ServiceInstance(rawValue: 0xf1)
    static let uploader = ServiceInstance(rawValue: 0xa1)
    static let gibibyte: UInt64 = 1 << 30

    let directory: String
    let bucket: MemoryBucket
    let gateway: GatewayID
    private(set) var shard: Shard
    private(set) var server: DataPlaneServer<String>
    private(set) var control: ControlHandler
    private var disk = ManualDisk()
    private(set) var jobs: [UploadDispatcher.Job] = []
    var isBucketReachable = true
    /// Jobs that the uploader keeps until `answer` is called.
    var holdsJob: (UploadJob.Work) -> Bool = { _ in false }
    var heldJobCount: Int { jobs.count }
    var isUploaderRunning = true {
        didSet { if !isUploaderRunning { shard.uploaderLost(Self.uploader) } }
    }
    private(set) var reports: [EngineReport] = []
    private var answers: [UInt64: DataPlaneServer<String>.Answer] = [:]
    private var nextNumber: UInt64 = 1
    private let clock = HarnessClock()
    private let frameCacheByteCount: Int
    /// How often everything that was asked of the bucket was answered before more was asked.
    private(set) var roundCount = 0
    private(set) var cacheReports: [CacheReport] = []
    private(set) var standbyReports: [StandbyReport] = []

    /// - Parameter frameCacheByteCount: memory for frames; 0 to see what the cache on disk does.
    init(
        bucket: MemoryBucket = MemoryBucket(), gateway: UInt64 = 0x6a7e, frameCacheByteCount: Int = 1 << 20
    ) throws {
        self.bucket = bucket
        self.frameCacheByteCount = frameCacheByteCount
        self.gateway = GatewayID(rawValue: gateway)
        directory = NSTemporaryDirectory() + "sluice-cache-test-" + String(Randomness.uint64(), radix: 16)
        for name in ["/volumes", "/snapshots", "/standbys", "/journal-a", "/journal-b", "/cache", "/bucket"] {
            try Platform.FileSystem.createDirectory(directory + name)
        }
        (shard, server, control) = Self.parts(directory, self.gateway, disk, clock, frameCacheByteCount)
        try start()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private static func parts(
        _ directory: String, _ gateway: GatewayID, _ disk: ManualDisk, _ clock: HarnessClock,
        _ frameCacheByteCount: Int
    ) -> (Shard, DataPlaneServer<String>, ControlHandler) {
        var limits = EngineLimits()
        limits.segmentByteCount = 1 << 20
        limits.commandByteCount = 256 << 10
        limits.recordByteCount = 256 << 10
        limits.frameCacheByteCount = frameCacheByteCount
        limits.nodeCacheByteCount = 1 << 20
        var cacheLimits = CacheLimits()
        cacheLimits.regionByteCount = 256 << 10
        cacheLimits.chunkByteCount = 64 << 10
        cacheLimits.indexByteCount = 1 << 20
        let configured = CacheSettings(configured: [directory + "/cache"], byteCount: 256 << 20)
        let saved = try? Platform.FileSystem.readFile(
            directory + "/cache.json", limit: CacheSettingsFormat.byteLimit)
        let settings = saved.flatMap { try? CacheSettingsFormat.decode($0) } ?? configured
        let shard = Shard(
            settings: Shard.Settings(gateway: gateway, limits: limits),
            registry: VolumeRegistry(SlotFolders(directory + "/volumes")),
            snapshotFiles: PendingSnapshotFiles(SlotFolders(directory + "/snapshots")),
            journals: JournalDirectories([directory + "/journal-a", directory + "/journal-b"]), disk: disk,
            cache: HostedCache(
                limits: cacheLimits, settings: settings, disk: SharedDisk(disk, threadCount: 8),
                at: clock.time.nanoseconds),
            clock: { clock.time }, random: { Randomness.nonzeroUInt64() })
        let admission = VolumeAdmission(
            journalByteCount: 64 << 20, defaultBufferByteCount: 16 << 20, smallestBufferByteCount: 4 << 20,
            targetPrefix: "iqn.2025-01.test:gw")
        return (
            shard, DataPlaneServer(shard: shard),
            ControlHandler(
                shard: shard, admission: admission, cacheSettingsPath: directory + "/cache.json",
                reservedDirectories: ["/journal-a", "/journal-b", "/bucket"].map { directory + $0 },
                standbyFiles: StandbyFiles(SlotFolders(directory + "/standbys")))
        )
    }

    private func start() throws {
        shard.outlet = self
        let stored = try SlotContents(
            volumes: directory + "/volumes", snapshots: directory + "/snapshots", standbys: directory + "/standbys")
        for volume in stored.beingRemoved {
            try shard.journals.remove(volume)
            try shard.registry.finishRemoval(of: volume)
        }
        shard.snapshots.adopt(stored.promises.snapshots, volumes: stored.volumes)
        for state in stored.states {
            if let problem = stored.promises.problems[state.volume] {
                _ = shard.list(unusable: state.head, problem: problem)
            } else {
                shard.resume(state) { [server] in server.adopt($0) }
            }
        }
        control.adopt(stored.standbys.records, volumes: stored.volumes)
        server.isServing = true
        #expect(server.hello(Self.frontend))
        shard.uploaderReady(UploaderReady(freeWriteSlots: 8, freeReadSlots: 8), from: Self.uploader)
        run()
    }

    /// The process stops as it should: what is dirty goes to the bucket, the map is folded.
    func stop() throws {
        var isDone = false
        control.stop { isDone = true }
        for _ in 0..<5000 where !isDone { pass(0.001) }
        shard.finishCache()
        run()
        #expect(isDone)
    }

    /// The process dies at once and another one starts on what is on the disk.
    func restart() throws {
        shard.cache.unlock()
        disk = ManualDisk()
        jobs = []
        answers = [:]
        (shard, server, control) = Self.parts(directory, gateway, disk, clock, frameCacheByteCount)
        try start()
    }

    // MARK: ShardOutlet

    func reply(to origin: RequestOrigin, with reply: VolumeReply) { server.reply(to: origin, with: reply) }
    func reply(to origin: RequestOrigin, with result: CommandResult) { server.reply(to: origin, with: result) }
    func send(_ job: UploadDispatcher.Job, to uploader: ServiceInstance) -> Bool {
        jobs.append(job)
        return true
    }
    func report(_ report: EngineReport, of volume: HostedVolume) { reports.append(report) }
    func report(_ report: CacheReport, of cache: HostedCache) { cacheReports.append(report) }
    func report(_ report: StandbyReport, of volume: VolumeID, name: String) { standbyReports.append(report) }

    // MARK: Running

    /// Until nothing moves any more without time passing.
    func run() {
        var isMoving = true
        while isMoving {
            isMoving = false
            shard.settle()
            if disk.runAll() { isMoving = true }
            let taken = isBucketReachable ? jobs.filter { !holdsJob($0.work) } : []
            if !taken.isEmpty {
                isMoving = true
                roundCount += 1
                jobs.removeAll { job in taken.contains { $0.id == job.id } }
                for job in taken { answer(job) }
            }
            shard.settle()
        }
        takeAnswers()
    }

    /// What the loop does alone, with no disk thread and no bucket: nothing that it answers was synced.
    func runLoop() {
        shard.settle()
        takeAnswers()
    }

    private func takeAnswers() {
        server.takeBatches { batch in
            for answer in batch.answers { answers[answer.reply.number] = answer }
        }
    }

    private func answer(_ job: UploadDispatcher.Job) {
        let (outcome, payloads) = bucket.perform(job.work, payload: job.payload)
        shard.uploadResult(UploadResult(id: job.id, outcome: outcome), payloads: payloads, from: Self.uploader)
    }

    /// Answers a job that was held, by its place in the order in which they were sent.
    func answerHeldJob(at index: Int) {
        answer(jobs.remove(at: index))
        run()
    }

    func pass(_ seconds: Double) {
        clock.advance(seconds)
        if isUploaderRunning {
            shard.uploaderReady(UploaderReady(freeWriteSlots: 8, freeReadSlots: 8), from: Self.uploader)
        }
        shard.advance()
        control.advance()
        run()
    }

    // MARK: I/O

    func submit(
        _ operation: IORequest.Operation, _ volume: VolumeID, sector: UInt64 = 0, count: UInt32 = 0,
        payload: [UInt8] = [], number: UInt64? = nil, deadline: UInt64 = 0, nexus: UInt64 = 1,
        from frontend: ServiceInstance = GatewayHarness.frontend
    ) -> UInt64 {
        let number = number ?? nextNumber
        nextNumber = max(nextNumber, number + 1)
        let request = IORequest(
            volume: volume, frontend: frontend, number: number, lowestOpenNumber: 0, deadlineMilliseconds: deadline,
            nexus: nexus, operation: operation, flags: [], sectors: SectorRange(start: sector, count: count),
            payloadByteCount: UInt32(payload.count))
        unsafe payload.withUnsafeBytes { unsafe server.receive(request, payload: $0, from: "frontend", at: clock.time) }
        return number
    }

    func takeAnswer(_ number: UInt64) -> DataPlaneServer<String>.Answer? { answers.removeValue(forKey: number) }

    func perform(
        _ operation: IORequest.Operation, _ volume: VolumeID, sector: UInt64 = 0, count: UInt32 = 0,
        payload: [UInt8] = [], nexus: UInt64 = 1, from frontend: ServiceInstance = GatewayHarness.frontend
    ) throws -> DataPlaneServer<String>.Answer {
        let number = submit(
            operation, volume, sector: sector, count: count, payload: payload, nexus: nexus, from: frontend)
        run()
        return try #require(takeAnswer(number), "no answer to \(operation)")
    }

    func write(_ bytes: [UInt8], to volume: VolumeID, sector: UInt64) throws {
        let answer = try perform(
            .write, volume, sector: sector, count: UInt32(bytes.count / 512), payload: bytes)
        #expect(answer.reply.status == .good)
    }

    func read(_ volume: VolumeID, sector: UInt64, count: UInt32) throws -> [UInt8] {
        let answer = try perform(.read, volume, sector: sector, count: count)
        #expect(answer.reply.status == .good)
        return answer.payload?.array ?? []
    }

    // MARK: Control

    func await<Reply>(_ ask: (@escaping ControlHandler.Answer<Reply>) -> Void) throws -> Reply {
        var answer: Result<Reply, BusFault>?
        ask { answer = $0 }
        run()
        return try #require(answer, "no answer").get()
    }

    @discardableResult
    func create(_ name: String = "db", gibibytes: UInt64? = 1, from snapshot: SnapshotID? = nil) throws
        -> VolumeDescription
    {
        try self.await {
            control.create(
                VolumeCreateRequest(name: name, byteCount: gibibytes.map { $0 << 30 }, snapshot: snapshot),
                within: .seconds(30), answer: $0)
        }
    }

    func sync(_ name: String) throws -> VolumeDescription {
        try self.await {
            control.sync(VolumeSyncRequest(volume: VolumeReference(name)), within: .seconds(30), answer: $0)
        }
    }

    /// Cuts these volumes at one instant, for the snapshots 1, 2, … above `first`.
    @discardableResult
    func cut(
        _ names: String..., first: UInt64 = 1, group: SnapshotGroupID? = nil, hold: UInt64? = nil
    ) throws -> VolumeCutRequest.Reply {
        let ids = names.indices.map { SnapshotID(rawValue: first + UInt64($0)) }
        return try self.await {
            control.cut(
                VolumeCutRequest(
                    wishes: zip(ids, names).map { .init(snapshot: $0, volume: VolumeReference($1)) },
                    description: "", createdMilliseconds: 1, group: group.map { .init(id: $0, members: ids) },
                    hold: hold),
                within: .seconds(10), answer: $0)
        }
    }

    /// The promised snapshots as the snapshotter is told of them.
    func pending() throws -> [PendingSnapshot] {
        try control.pendingSnapshots().snapshots.map { try PendingSnapshotFormat.decode($0.record) }
    }

    /// Does the snapshotter's part: records of everything decided go to the bucket.
    @discardableResult
    func settle() throws -> [SnapshotRecord] {
        let records = try pending().filter(\.isDecided).map { SnapshotRecord($0, gateway: gateway) }
        for record in records { bucket.put(BucketLayout.snapshot(record.id), try SnapshotFormat.encode(record)) }
        let _: SettleSnapshotsRequest.Reply = try self.await {
            control.settle(SettleSnapshotsRequest(snapshots: records.map(\.id)), answer: $0)
        }
        return records
    }

    func attach(_ name: String, force: Bool = false) throws -> VolumeDescription {
        try self.await {
            control.attach(
                VolumeAttachRequest(volume: VolumeReference(name), force: force), within: .seconds(30), answer: $0)
        }
    }

    /// An answer that is waited for while time passes.
    final class Pending<Reply> { fileprivate(set) var result: Result<Reply, BusFault>? }

    func attachLater(_ name: String, within timeout: Duration = .seconds(120)) -> Pending<VolumeDescription> {
        let pending = Pending<VolumeDescription>()
        let request = VolumeAttachRequest(volume: VolumeReference(name), force: false)
        control.attach(request, within: timeout) { pending.result = $0 }
        run()
        return pending
    }

    @discardableResult
    func standBy(_ name: String, _ wish: StandbyWish = .begin) throws -> VolumeDescription {
        let request = VolumeAttachRequest(volume: VolumeReference(name), force: false, standby: wish)
        return try self.await { control.attach(request, within: .seconds(30), answer: $0) }
    }

    @discardableResult
    func createLeased(_ name: String = "db", seconds: UInt64) throws -> VolumeDescription {
        let request = VolumeCreateRequest(
            name: name, byteCount: Self.gibibyte, leaseMilliseconds: seconds * 1000)
        return try self.await { control.create(request, within: .seconds(30), answer: $0) }
    }

    func fault(_ work: () throws -> Void) throws -> BusFault {
        try #require(throws: BusFault.self) { try work() }
    }
}

/// Starts at a fixed moment so that runs do not differ.
final class HarnessClock {
    private(set) var time = EngineTime(nanoseconds: 1_000_000_000, wallMilliseconds: 1_700_000_000_000)
    func advance(_ seconds: Double) {
        time.nanoseconds += UInt64(seconds * 1e9)
        time.wallMilliseconds += UInt64(seconds * 1000)
    }
}
