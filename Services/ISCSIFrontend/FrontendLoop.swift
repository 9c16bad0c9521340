// SPDX-License-Identifier: Apache-2.0
import Bus
import ISCSI
import Logging
import Messages
import Platform
import SCSI
import ServiceKit
import Wire

/// The thread of the frontend: listeners, connections, sessions and the links to the cache managers on one event loop.
/// In each round it takes what the initiators sent, sends all that became of it to each cache manager in one message,
/// takes the answers, and sends what the initiators get.
final class FrontendLoop: ConnectionOwner {
    enum Stage { case serving, stopping, stopped }

    let parts: FrontendParts
    let loop: EventLoop
    let targets: TargetTable
    let registry: SessionRegistry
    let counters = FrontendCounters()
    let busCounters = BusCounters()
    let initiators = InitiatorTable()
    private(set) lazy var links = makeLinks(parts.identity.instance, lastID: 0)
    var challenges = OutstandingChallenges()
    var writeBudget: MemoryBudget
    var readBudget: MemoryBudget
    private(set) var stage = Stage.serving
    private(set) var connections = ConnectionTable()
    let startedAt = Timestamp.now()
    private var listeners: [Listener] = []
    private var control: ControlEndpoint?
    private let isStopRequested: () -> Bool
    private var dirty: [ConnectionID] = []
    /// Empty between rounds; kept for its memory.
    private var flushing: [ConnectionID] = []
    var loginFailures = LoginFailureLog()
    var barriers: [UInt64: Barrier] = [:]
    var lastBarrier: UInt64 = 0
    private var holdingLogins: [(ConnectionID, arrivedAt: MonotonicInstant)] = []
    private var stopAt: MonotonicInstant?
    /// Of instances that were revoked.
    private var requestsBefore = (resent: UInt64(0), expired: UInt64(0))
    private var sweepTimer: LoopTimer?

    /// A login waits this long for a fresh list of targets.
    private static let freshTargetsTimeout = Duration.seconds(1)
    /// And needs none when the list is no older than this.
    private static let freshTargetsAge = Duration.milliseconds(20)

    /// On the loop's own thread: ZeroMQ sockets belong to the thread that makes them.
    init(_ parts: FrontendParts, loop: EventLoop, isStopRequested: @escaping () -> Bool) throws {
        self.parts = parts
        self.loop = loop
        self.isStopRequested = isStopRequested
        let configuration = parts.configuration
        registry = SessionRegistry(limits: configuration.limits)
        writeBudget = MemoryBudget(configuration.limits.writes)
        readBudget = MemoryBudget(configuration.limits.reads)
        targets = TargetTable(patience: configuration.commandHold)
        links.follow()
        control = try ControlEndpoint(self)
        for descriptor in parts.listeners {
            listeners.append(
                try Listener(descriptor, loop: loop, logger: parts.logger) { [unowned self] in accept($0) })
        }
        sweepTimer = loop.makeTimer { [unowned self] in sweep() }
        sweep()
    }

    private func makeLinks(_ instance: ServiceInstance, lastID: Int) -> CacheLinks {
        CacheLinks(
            parts, instance: instance, lastID: lastID, loop: loop, counters: busCounters, owner: self,
            isUsed: { [unowned self] in targets.isUsed($0) }, work: { [unowned self] in turn() })
    }

    var configuration: FrontendConfiguration { parts.configuration }
    var accessRules: AccessRules { parts.access() }
    var acceptsLogins: Bool { stage == .serving }
    var now: UInt64 { loop.now.nanoseconds }
    var resentCount: UInt64 { requestsBefore.resent + links.resentCount }
    var expiredCount: UInt64 { requestsBefore.expired + links.expiredCount }

    // MARK: One round

    private func turn() {
        if isStopRequested(), stage == .serving { stop() }
        links.turn()
        while let waiter = writeBudget.admitNext(used: { connections[$0]?.writeByteCount ?? 0 }) {
            if let connection = connections[waiter.connection] {
                connection.memoryGranted(waiter)
            } else {
                writeBudget.release(waiter.byteCount)
            }
        }
        flushDirty()
        admitReads()
        // Commands that were read now, or memory that became free, are served in another round without waiting.
        if links.hasSomethingToSend || !dirty.isEmpty { loop.requestIteration() }
        finishStopping()
    }

    private func admitReads() {
        while let waiter = readBudget.admitNext(used: { connections[$0]?.reads.reservedByteCount ?? 0 }) {
            // One that is gone has left the line.
            connections[waiter.connection]?.readGranted(waiter)
        }
    }

    private func flushDirty() {
        swap(&dirty, &flushing)
        for id in flushing {
            guard let connection = connections[id] else { continue }
            connection.isDirty = false
            connection.flush()
            interestChanged(connection)
        }
        flushing.removeAll(keepingCapacity: true)
    }

    func hasOutput(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        // Every round ends with sending it.
        dirty.append(connection.id)
    }

    func interestChanged(_ connection: Connection) {
        guard let registration = connection.registration, !connection.isClosed else { return }
        var interest: EventLoop.Interest = connection.wantsToRead ? .read : []
        if !connection.output.isEmpty { interest.insert(.write) }
        if connection.awaitsOthers { interest.insert(.end) }
        guard interest != connection.interest else { return }
        do throws(SystemError) {
            try loop.setInterest(interest, for: registration)
            connection.interest = interest
        } catch {
            parts.logger.error("Cannot watch a connection", metadata: ["reason": "\(error)"])
            connection.close(.protocolError)
        }
    }

    private func sweep() {
        for connection in connections.all {
            connection.check()
            interestChanged(connection)
        }
        let isLate = { (arrivedAt: MonotonicInstant) in
            arrivedAt.advanced(by: Self.freshTargetsTimeout) <= self.loop.now
        }
        continueLogins { isLate($0) }
        reportHealth()
        sweepTimer?.arm(after: .seconds(1))
    }

    var readiness: (isReady: Bool, detail: String) {
        guard stage == .serving else { return (false, "stopping: asking initiators to log out") }
        let sessions = "\(registry.count.counted("session")) on \(targets.count.counted("target"))"
        guard links.isConnected else {
            let places = links.all.map { "\($0.endpoint)" }.joined(separator: ", ")
            let reason = places.isEmpty ? "has an address" : "answers at \(places)"
            return (false, "no cache manager \(reason): commands wait (\(sessions))")
        }
        if let away = links.all.first(where: { !$0.isConnected && targets.isUsed($0.id) }) {
            return (false, "no cache manager answers at \(away.endpoint): commands for its volumes wait (\(sessions))")
        }
        return (true, sessions)
    }

    func reportHealth() {
        let (isReady, detail) = readiness
        parts.health.set(ready: isReady, detail)
    }

    // MARK: Connections

    private func accept(_ descriptor: Int32) {
        TCPSocket.configure(descriptor)
        guard let peer = SocketAddress.peer(of: descriptor), let local = SocketAddress.local(of: descriptor),
            isAdmitted(peer)
        else {
            counters.connectionsRefused += 1
            return TCPSocket.close(descriptor)
        }
        let id = connections.takeID()
        let connection = Connection(id: id, descriptor: descriptor, peer: peer, local: local, owner: self)
        do throws(SystemError) {
            connection.registration = try loop.register(descriptor, .read) { [unowned self, unowned connection] ready in
                receive(ready, connection)
            }
        } catch {
            parts.logger.error("Cannot watch a connection", metadata: ["reason": "\(error)"])
            connections.giveBack(id)
            return TCPSocket.close(descriptor)
        }
        connection.interest = .read
        connections.enter(connection)
        counters.connectionsAccepted += 1
    }

    private func isAdmitted(_ peer: SocketAddress) -> Bool {
        let limits = configuration.limits
        guard connections.count < limits.connections else { return false }
        let inLogin = connections.all.filter { $0.session == nil }
        guard inLogin.count < limits.loginsInProgress else { return false }
        return peer.isLoopback || inLogin.filter { $0.peer.host == peer.host }.count < limits.loginsPerAddress
    }

    private func receive(_ ready: EventLoop.Ready, _ connection: Connection) {
        // No set literals here: each would be built in memory, for every command.
        let hasEnded = !ready.isDisjoint(with: .ended)
        if ready.contains(.readable) || hasEnded { connection.readable() }
        if ready.contains(.writable), !connection.isClosed { hasOutput(connection) }
        // A broken connection that is not read now would be reported again and again.
        if hasEnded, !connection.wantsToRead { connection.close(.peerClosed) }
        interestChanged(connection)
    }

    func closed(_ connection: Connection, _ reason: CloseReason) {
        if let registration = connection.registration { loop.deregister(registration) }
        TCPSocket.close(connection.descriptor)
        connections.remove(connection.id)
        counters.countClosed(reason)
        if let session = connection.session ?? connection.establishing { end(session, of: connection, reason) }
        // What was not sent yet is never sent. What was sent may still be applied: the barrier of the next session of
        // this nexus waits for it.
        let id = connection.id
        let unneeded = barriers.filter { $0.value.connection == id }.keys
        for barrier in unneeded { barriers[barrier] = nil }
        links.drop { owner in
            switch owner {
            case .task(let connection, _): connection == id
            case .barrier(let barrier): unneeded.contains(barrier)
            }
        }
    }

    // MARK: Logins

    var areTargetsKnown: Bool {
        guard links.isConnected, links.listedAt != nil else { return false }
        // One that nothing is known of for long has nothing.
        let limit = configuration.commandHold
        return links.all.allSatisfy { link in
            link.isConnected || (!targets.isUsed(link.id) && link.awaySince.advanced(by: limit) < loop.now)
        }
    }

    func needsFreshTargets(_ connection: Connection) -> Bool {
        guard links.isConnected else { return false }
        if let listedAt = links.listedAt, listedAt.advanced(by: Self.freshTargetsAge) >= loop.now { return false }
        holdingLogins.append((connection.id, loop.now))
        links.refresh()
        return true
    }

    private func continueLogins(where isReady: (MonotonicInstant) -> Bool) {
        let ready = holdingLogins.filter { isReady($0.arrivedAt) }
        holdingLogins.removeAll { isReady($0.arrivedAt) }
        for (id, _) in ready { connections[id]?.continueLogin() }
    }

    // MARK: Stopping

    private func stop() {
        parts.logger.info("Stopping", metadata: ["sessions": "\(registry.count)"])
        stage = .stopping
        reportHealth()
        for listener in listeners { listener.close() }
        let seconds = configuration.limits.stopSeconds
        stopAt = loop.now.advanced(by: .seconds(Int64(seconds)))
        for connection in connections.all { connection.beginStop(seconds: UInt16(clamping: seconds)) }
        loop.schedule(after: .seconds(Int64(seconds))) { [unowned self] in loop.requestIteration() }
    }

    private func finishStopping() {
        guard stage == .stopping, let stopAt else { return }
        // The cache managers are told which nexuses are gone.
        guard connections.count == 0 && barriers.isEmpty || stopAt <= loop.now else { return }
        stage = .stopped
        for connection in connections.all { connection.end(.stopping) }
        control?.close()
        links.close()
        loop.stop()
    }
}

// MARK: - What the link tells

extension FrontendLoop: CacheLinkOwner {
    func link(_ link: CacheLink, answered owner: RequestOwner, _ reply: IOReply, payload: FrameSlice?) {
        switch owner {
        case .task(let id, let slot): connections[id]?.ownerAnswered(slot, reply, payload: payload)
        case .barrier(let id):
            barriers.removeValue(forKey: id)?.done(reply.status == .good)
        }
    }

    func link(_ link: CacheLink, gaveUp owner: RequestOwner, _ operation: IORequest.Operation, wasSent: Bool) {
        switch owner {
        case .task(let id, let slot):
            let outcome = MediumOutcome(expired: operation, wasSent: wasSent)
            connections[id]?.volumeAnswered(slot, outcome, payload: nil)
        case .barrier(let id): barriers.removeValue(forKey: id)?.done(false)
        }
    }

    func link(_ link: CacheLink, listed volumes: [VolumeDescription]) {
        let change = targets.update(
            volumes, from: link.state, connection: { [links] in links[$0]?.isConnected }, now: loop.now)
        for (target, old) in change.moved {
            parts.logger.notice(
                "A volume has moved to another cache manager",
                metadata: ["target": "\(target.name)", "to": "\(link.endpoint)"])
            links[old]?.move(target.volume, to: link)
        }
        for session in registry.normalSessions
        where session.coldResetCount < session.target?.coldResetCount ?? 0 && !session.isResetting {
            connections[session.connection]?.end(.targetReset)
        }
        for target in change.removed {
            parts.logger.info("Target removed", metadata: ["target": "\(target.name)"])
            initiators.forget(target.volume)
            for id in barriers.filter({ $0.value.volume == target.volume }).keys {
                barriers[id] = nil
                links.drop { $0 == .barrier(id) }
            }
            for session in registry.sessions(of: target) { connections[session.connection]?.close(.targetRemoved) }
        }
        if let listedAt = links.listedAt { continueLogins { $0 <= listedAt } }
        reportHealth()
    }

    /// All sessions end: what they sent will never be answered. Initiators log in again, to a new instance.
    func linkWasRevoked(_ link: CacheLink) {
        for connection in connections.all { connection.close(.revoked) }
        barriers.removeAll()
        requestsBefore = (resentCount, expiredCount)
        let old = links
        // The old link is in the middle of its round, so it is closed behind that; nothing goes to it any more.
        loop.schedule(after: .zero) { old.close() }
        links = makeLinks(ServiceInstance(rawValue: Randomness.nonzeroUInt64()), lastID: old.lastID)
        links.follow()
    }
}
