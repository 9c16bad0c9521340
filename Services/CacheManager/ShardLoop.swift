// SPDX-License-Identifier: Apache-2.0
import Bus
import Engine
import Glibc
import Logging
import Messages
import Platform
import SCSI
import ServiceKit
import Wire

/// The thread that owns all volumes: one event loop with the ROUTER that frontends, uploaders and people's tools
/// speak to, the completions of disk threads and the timers. In each round it takes everything that is there, lets the
/// volumes settle once (one journal record for all writes that came together), and sends all answers.
final class ShardLoop {
    /// What the loop is made from, gathered by the service before its thread starts.
    struct Parts: Sendable {
        var configuration: CacheManagerConfiguration
        /// Holds the lock for as long as the loop runs.
        var state: StateDirectory
        var gateway: GatewayID
        var executor: DiskExecutor
        /// Of its own: a slow cache disk must not hold up the journal.
        var cacheExecutor: DiskExecutor
        var cacheThreadCount: Int
        var context: ServiceContext
        /// Names the run of the machine.
        var powerOn: String

        var instance: ServiceInstance { context.instance }
        var logger: Logger { context.logger }
    }

    /// Less than what the service frame allows, so that the end is ours.
    private static let stopTime = Duration.seconds(17)
    /// Without any uploader there is nothing to wait for, but one may just be starting again.
    private static let lonelyStopTime = Duration.seconds(3)
    /// Health makes a round each second; when this long passes without one, the process stood still.
    private static let standstill = Duration.seconds(5)

    private enum Stage { case recovering, serving, stopping, stopped }

    let parts: Parts
    let loop: EventLoop
    let shard: Shard
    let dataPlane: DataPlaneServer<PeerIdentity>
    let control: ControlHandler
    private let journalDisk: LoopDisk
    private let cacheDisk: LoopDisk
    private let socket: MessageSocket
    private let message = IncomingMessage()
    private var peers = PeerTable()
    private let isStopRequested: () -> Bool
    private var stage = Stage.recovering
    private var volumesRecovering = 0
    private var slotKeeper: SlotKeeper?
    /// Whose promises are known here.
    private var takenSlots: Set<Int> = []
    private var timer: LoopTimer?
    private var healthTimer: LoopTimer?
    private var uploaders: [ServiceInstance: PeerIdentity] = [:]
    private var unsentBatches: [DataPlaneServer<PeerIdentity>.Batch] = []
    private var frames: [Frame] = []
    private var hasSent = false
    private var lastRound = MonotonicClock.now()
    var reportLogs: [VolumeID: EngineReportLog] = [:]
    lazy var router = ControlRouter(self)

    /// On the loop's own thread: ZeroMQ sockets belong to the thread that makes them.
    init(_ parts: Parts, loop: EventLoop, isStopRequested: @escaping () -> Bool) throws {
        self.parts = parts
        self.loop = loop
        self.isStopRequested = isStopRequested
        let configuration = parts.configuration
        journalDisk = LoopDisk(port: DiskPort(executor: parts.executor, loop: loop))
        cacheDisk = LoopDisk(port: DiskPort(executor: parts.cacheExecutor, loop: loop))
        let startingCache = parts.state.cacheSettings(configured: configuration.cacheSettings)
        shard = Shard(
            settings: Shard.Settings(
                gateway: parts.gateway, limits: configuration.limits, packCount: configuration.packCount,
                powerOn: parts.powerOn),
            registry: VolumeRegistry(parts.state.folders(\.volumesPath)),
            // A promise stays with its volume, whoever has that later.
            snapshotFiles: PendingSnapshotFiles(parts.state.folders(\.snapshotsPath)) { [state = parts.state] in
                state.folder(\.snapshotsPath, having: $0.volume)
            },
            journals: configuration.journals,
            disk: journalDisk,
            cache: HostedCache(
                limits: configuration.cacheLimits, settings: startingCache.settings,
                disk: SharedDisk(cacheDisk, threadCount: parts.cacheThreadCount),
                at: MonotonicClock.now().nanoseconds),
            clock: {
                EngineTime(
                    nanoseconds: MonotonicClock.now().nanoseconds, wallMilliseconds: WallClock.millisecondsNow())
            },
            random: { Randomness.nonzeroUInt64() })
        dataPlane = DataPlaneServer(shard: shard)
        control = ControlHandler(
            shard: shard, admission: configuration.admission, cacheSettingsPath: parts.state.slot.cacheSettingsPath,
            reservedDirectories: configuration.reservedDirectories,
            standbyFiles: StandbyFiles(parts.state.folders(\.standbysPath)), claims: NameClaims(parts.state))
        socket = try MessageSocket(
            .server, context: BusContext(keys: parts.context.keys, logger: parts.logger), instance: parts.instance,
            logger: parts.logger)
        // Several names for one socket, Unix sockets first: requests of all kinds are welcome at each.
        let endpoints = try parts.context.endpoints() + parts.context.dataEndpoints()
        for endpoint in endpoints.filter({ !$0.isNetwork }) + endpoints.filter(\.isNetwork) {
            try socket.bind(endpoint)
            parts.logger.info("bus endpoint open", metadata: ["endpoint": "\(endpoint)"])
        }
        shard.outlet = self
        if let dropped = startingCache.dropped {
            parts.logger.notice(
                "Cache settings made while running do not hold any more: the configuration's do",
                metadata: ["reason": "\(dropped)"])
        }
        timer = loop.makeTimer {}
        healthTimer = loop.makeTimer { [unowned self] in reportHealth() }
        socket.onPeerGone = { [unowned self] peer in gone(peer) }
        try socket.attach(to: loop) { [unowned self] in iterate() }
        reportHealth()
        for path in startingCache.abandoned { clear(path) }
        try recover()
    }

    private func clear(_ path: String) {
        shard.cache.clear(path) { [logger = parts.logger] fileCount in
            guard fileCount > 0 else { return }
            logger.notice(
                "Files of a cache directory that is not used any more removed",
                metadata: ["directory": "\(path)", "files": "\(fileCount)"])
        }
    }

    /// Which slots this cache manager has, and which hold anything, whoever has them.
    var slots: (held: [UInt32], filled: [UInt32]) {
        let held = takenSlots.map { UInt32($0) }.sorted()
        return (held, Set((slotKeeper?.filledSlots ?? []).map { UInt32($0) } + held).sorted())
    }

    // MARK: Starting and stopping

    private func recover() throws {
        let contents = try SlotContents(of: parts.state.slot)
        var all = [(parts.state.slot, contents)]
        for slot in parts.state.heldSlots.dropFirst() {
            do { all.append((slot, try SlotContents(of: slot))) } catch {
                // `SlotKeeper` tries again, and the own volumes are served.
                parts.state.abandon(slot)
                parts.logger.error(
                    "An adopted slot cannot be used", metadata: ["slot": "\(slot.number)", "reason": "\(error)"])
            }
        }
        for volume in try shard.journals.strangers(known: parts.state.volumes()) {
            parts.logger.warning(
                "Journal of a volume that this gateway does not have; left untouched",
                metadata: ["volume": "\(volume)"])
        }
        let volumes = all.reduce(into: Set<VolumeID>()) { $0.formUnion($1.1.volumes) }
        for (slot, contents) in all { take(contents, of: slot, volumes: volumes) }
        slotKeeper = SlotKeeper(parts.state, disk: shard.disk, loop: loop, logger: parts.logger) {
            [unowned self] in take($1, of: $0, volumes: $1.volumes.union(shard.volumes.keys))
        }
    }

    /// Begins to serve what a slot holds.
    /// - Parameter volumes: those that are here then.
    private func take(_ contents: SlotContents, of slot: StateSlot, volumes: Set<VolumeID>) {
        if slot !== parts.state.slot {
            // This cache manager has others on the same disks; what these hold would stay there for good.
            let directories = parts.configuration.cacheSettings.directories
            for path in slot.ownCacheDirectories(in: directories) { clear(path) }
        }
        for volume in contents.beingRemoved { finishRemoval(of: volume) }
        // Before the volumes, whose journals are cut again where snapshots were promised.
        shard.snapshots.adopt(contents.promises.snapshots, volumes: volumes)
        takenSlots.insert(slot.number)
        for file in contents.standbys.unusable {
            parts.logger.error(
                "A standby cannot be read: its volume is not watched; make it standby again",
                metadata: ["file": "\(file.name)", "reason": "\(file.reason)"])
        }
        control.adopt(contents.standbys.records, volumes: contents.volumes)
        volumesRecovering += contents.states.count
        for state in contents.states {
            let finish = { [unowned self] (hosted: HostedVolume) in
                if let problem = hosted.problem {
                    parts.logger.error(
                        "Volume cannot be opened", metadata: ["volume": "\(hosted.name)", "reason": "\(problem)"])
                }
                dataPlane.adopt(hosted)
                volumesRecovering -= 1
                serveIfRecovered()
            }
            if let problem = contents.promises.problems[state.volume] {
                finish(shard.list(unusable: state.head, problem: problem))
            } else {
                shard.resume(state, then: finish)
            }
        }
        serveIfRecovered()
    }

    private func serveIfRecovered() {
        guard stage == .recovering, volumesRecovering == 0 else { return }
        stage = .serving
        dataPlane.isServing = true
        parts.logger.info(
            "Serving", metadata: ["gateway": "\(parts.gateway)", "volumes": "\(shard.volumes.count)"])
        reportHealth()
    }

    private func finishRemoval(of volume: VolumeID) {
        let (registry, journals, logger) = (shard.registry, shard.journals, parts.logger)
        shard.disk.run {
            Result {
                try journals.remove(volume)
                try registry.finishRemoval(of: volume)
            }
        } then: { result in
            guard case .failure(let error) = result else { return }
            logger.warning(
                "A deleted volume's files could not be removed",
                metadata: ["volume": "\(volume)", "reason": "\(error)"])
        }
    }

    /// Frontends keep their commands from here on; what is acknowledged goes to the bucket if it can.
    private func stop() {
        parts.logger.info("Stopping", metadata: ["volumes": "\(shard.volumes.count)"])
        stage = .stopping
        slotKeeper?.stop()
        dataPlane.isServing = false
        reportHealth()
        let time = shard.dispatcher.uploaderCount > 0 ? Self.stopTime : Self.lonelyStopTime
        control.stop(within: time) { [unowned self] in
            stage = .stopped
            shard.finishCache()
            for hosted in shard.sortedVolumes {
                guard let dirty = hosted.engine?.statistics.dirtyByteCount, dirty > 0 else { continue }
                parts.logger.warning(
                    "Volume stopped with data that is not in the bucket; it stays in the journal",
                    metadata: ["volume": "\(hosted.name)", "bytes": "\(dirty)"])
            }
            loop.stop()
        }
    }

    var readiness: (isReady: Bool, detail: String) {
        switch stage {
        case .recovering: return (false, "recovering the journals of \(volumesRecovering.counted("volume"))")
        case .stopping, .stopped: return (false, "stopping: uploading what is left")
        case .serving: break
        }
        let volumes = shard.volumes.values
        let dirty = volumes.reduce(UInt64(0)) { $0 + ($1.engine?.statistics.dirtyByteCount ?? 0) }
        let broken = volumes.filter { [.failed, .fenced].contains($0.status(bucketProblem: nil).0) }.count
        var detail = "serving \(volumes.count.counted("volume")), \(ByteSize(byteCount: dirty)) not in the bucket yet"
        if control.standbyCount > 0 { detail += ", \(control.standbyCount) on standby" }
        if broken > 0 { detail += ", \(broken) out of service (see `sluice volume list`)" }
        // It serves without an uploader, but what it acknowledges stays on this machine.
        guard let problem = shard.dispatcher.waitingReason else { return (true, detail) }
        return (false, detail + "; \(problem)")
    }

    private func reportHealth() {
        let (isReady, detail) = readiness
        parts.context.health.set(ready: isReady, detail)
        shard.watchThresholds()
        healthTimer?.arm(after: .seconds(1))
    }

    // MARK: One round

    private func iterate() {
        if isStopRequested(), stage == .serving || stage == .recovering { stop() }
        advance()
        repeat {
            hasSent = false
            socket.drain(into: message) { message in receive(message) }
            shard.settle()
            flush()
        } while hasSent && !socket.isClosed
        if stage == .stopped { socket.close() }
        armTimer()
    }

    private func advance() {
        let round = MonotonicClock.now()
        if round.duration(since: lastRound) > Self.standstill { dataPlane.excuseSilence() }
        lastRound = round
        let now = round.nanoseconds
        if let deadline = shard.nextDeadline, deadline <= now { shard.advance() }
        if let deadline = control.nextDeadline, deadline <= now { control.advance() }
        if let deadline = dataPlane.nextDeadline, deadline <= now {
            for frontend in dataPlane.revokeSilentFrontends() {
                parts.logger.warning(
                    "Frontend revoked after a long silence", metadata: ["instance": "\(frontend)"])
            }
        }
    }

    private func armTimer() {
        var deadline = UInt64.max
        for next in [shard.nextDeadline, control.nextDeadline, dataPlane.nextDeadline] {
            deadline = min(deadline, next ?? .max)
        }
        if !unsentBatches.isEmpty {
            deadline = min(deadline, MonotonicClock.now().nanoseconds + 5_000_000)
        }
        guard deadline < .max else { return timer?.cancel() ?? () }
        timer?.arm(at: MonotonicInstant(nanoseconds: deadline))
    }

    private func receive(_ message: IncomingMessage) {
        guard let peer = message.peer else { return }
        let envelope = message.envelope
        guard envelope.kind != .hello else { return router.receive(message, from: peer) }
        guard let sender = peers.seen(peer, as: envelope.sender, now: loop.now) else {
            let fault = BusFault(.helloRequired, "say hello first: this cache manager has started again")
            return socket.refuse(message, .helloRequired, fault)
        }
        guard envelope.kind.mayCome(from: sender.service) else {
            return socket.refuse(message, .badIdentity, message.strangerFault(sender.service))
        }
        dataPlane.heard(envelope.sender)
        switch envelope.kind {
        case .io: receiveIO(message, from: peer)
        case .uploaderReady: receiveReady(message, from: peer)
        case .uploadResult: receiveResult(message)
        default: router.receive(message, from: peer)
        }
    }

    func greeted(_ hello: HelloRequest, as peer: PeerIdentity) {
        let name = BusPeer(service: hello.service, instance: hello.instance, softwareVersion: hello.softwareVersion)
        peers.enter(peer, name, now: loop.now)
        parts.logger.debug(
            "Peer connected", metadata: ["service": "\(hello.service)", "instance": "\(hello.instance)"])
    }

    // MARK: Uploaders

    private func receiveReady(_ message: IncomingMessage, from peer: PeerIdentity) {
        guard let announcement = decode(UploaderReady.self, from: message) else { return }
        uploaders[message.envelope.sender] = peer
        shard.uploaderReady(announcement, from: message.envelope.sender)
    }

    private func receiveResult(_ message: IncomingMessage) {
        guard let result = decode(UploadResult.self, from: message) else { return }
        shard.uploadResult(result, payloads: message.payload.map(\.array), from: message.envelope.sender)
    }

    /// A connection ended. An uploader's jobs are given to another or told to their owners now; if it lives after
    /// all, its next announcement brings it back. A frontend keeps its place: it may come back on a new connection, and
    /// until then its silence decides, because a revoked one can never return.
    private func gone(_ peer: PeerIdentity) {
        for (uploader, _) in uploaders.filter({ $0.value == peer }) {
            forget(uploader)
            shard.uploaderLost(uploader)
        }
    }

    private func forget(_ uploader: ServiceInstance) {
        uploaders[uploader] = nil
        parts.logger.warning("Uploader lost", metadata: ["instance": "\(uploader)"])
    }

    private func decode<Value: Decodable>(_ type: Value.Type, from message: IncomingMessage) -> Value? {
        do throws(MessageError) {
            return try message.decodeBody(type)
        } catch {
            socket.refuse(message, .malformedBody, BusFault(refusing: error))
            return nil
        }
    }

    // MARK: I/O

    private func receiveIO(_ message: IncomingMessage, from peer: PeerIdentity) {
        let body = unsafe message.body
        let requestCount = body.count / IORequest.byteCount
        guard body.count % IORequest.byteCount == 0, requestCount <= MessageLimits.ioBatchCount else {
            return refuseIO(message, "the body does not hold whole requests")
        }
        let time = shard.now
        var cursor = PayloadCursor()
        for offset in stride(from: 0, to: body.count, by: IORequest.byteCount) {
            let slot = unsafe RawSpan(
                _unsafeBytes: UnsafeRawBufferPointer(rebasing: body[offset..<offset + IORequest.byteCount]))
            let request: IORequest
            do throws(MessageError) {
                request = try IORequest(decoding: slot)
            } catch {
                return refuseIO(message, error.description)
            }
            // The envelope says who speaks; nobody speaks for another instance.
            guard request.frontend == message.envelope.sender else {
                return refuseIO(message, "a request of another frontend")
            }
            guard request.payloadByteCount > 0 else {
                let nothing = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
                unsafe dataPlane.receive(request, payload: nothing, from: peer, at: time)
                continue
            }
            guard let payload = cursor.take(Int(request.payloadByteCount), from: message.payload) else {
                return refuseIO(message, "a payload is missing or too short")
            }
            unsafe dataPlane.receive(request, payload: payload.bytes, from: peer, at: time)
        }
    }

    private func refuseIO(_ message: IncomingMessage, _ reason: String) {
        dataPlane.countMalformedMessage()
        socket.refuse(message, .malformedBody, BusFault(.malformed, "I/O message: \(reason)"))
    }

    /// Sends what the volumes answered. A frontend that takes nothing now gets it later; one that is gone asks again.
    private func flush() {
        if !unsentBatches.isEmpty {
            let earlier = unsentBatches
            unsentBatches = []
            for batch in earlier { send(batch) }
        }
        dataPlane.takeBatches { send($0) }
    }

    private func send(_ batch: DataPlaneServer<PeerIdentity>.Batch) {
        let byteCount = batch.answers.count * IOReply.byteCount
        frames.removeAll(keepingCapacity: true)
        PayloadFrames.carry(batch.answers.compactMap(\.payload), in: &frames)
        let result = unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) { bytes in
            for (index, answer) in batch.answers.enumerated() {
                let range = index * IOReply.byteCount..<(index + 1) * IOReply.byteCount
                var slot = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
                answer.reply.encode(into: &slot)
            }
            let header = MessageSocket.Header(.io, requestID: 0, isReply: true)
            return unsafe socket.send(
                header, body: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes)), payload: frames, to: batch.peer)
        }
        frames.removeAll(keepingCapacity: true)
        switch result {
        case .sent: hasSent = true
        case .full: unsentBatches.append(batch)
        case .unreachable: break
        }
    }

    // MARK: For the control plane

    func send(_ header: MessageSocket.Header, body: [UInt8], to peer: PeerIdentity) {
        if socket.send(header, body: body, to: peer) == .sent { hasSent = true }
    }

    func send(_ fault: BusFault, requestID: UInt64, to peer: PeerIdentity) {
        if socket.send(fault, requestID: requestID, to: peer) == .sent { hasSent = true }
    }

    func refuse(_ message: IncomingMessage, _ fault: BusFault) { socket.refuse(message, .unexpected, fault) }

    var busMetrics: [MetricFamily] {
        socket.counters.metricFamilies() + parts.context.process.families
    }
    var diskWaits: ShardMetrics.DiskWaits {
        ShardMetrics.DiskWaits(
            journalNanoseconds: journalDisk.waitedNanoseconds, cacheNanoseconds: cacheDisk.waitedNanoseconds)
    }
    var uptimeSeconds: Double { Double(Timestamp.now().milliseconds - parts.context.startedAt.milliseconds) / 1000 }
    var isServing: Bool { stage == .serving }
    let processID = getpid()
}

extension ShardLoop: ShardOutlet {
    func reply(to origin: RequestOrigin, with reply: VolumeReply) { dataPlane.reply(to: origin, with: reply) }
    func reply(to origin: RequestOrigin, with result: CommandResult) { dataPlane.reply(to: origin, with: result) }

    func send(_ job: UploadDispatcher.Job, to uploader: ServiceInstance) -> Bool {
        guard let peer = uploaders[uploader] else { return false }
        let message = UploadJob(id: job.id, work: job.work, timeoutMilliseconds: job.timeoutMilliseconds)
        guard let body = try? MessageCoder.encode(message) else {
            // Larger than a message may be: no uploader can take it.
            return false
        }
        let payload = job.payload.map { [Frame(sharing: $0)] } ?? []
        let header = MessageSocket.Header(
            .uploadJob, requestID: job.id, timeoutMilliseconds: job.timeoutMilliseconds)
        guard socket.send(header, body: body, payload: payload, to: peer) == .sent else {
            forget(uploader)
            return false
        }
        hasSent = true
        return true
    }
}
