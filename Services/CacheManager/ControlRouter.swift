// SPDX-License-Identifier: Apache-2.0
import Bus
import Engine
import Messages
import Platform
import ServiceKit
import Wire

/// Turns control messages into calls and their results into answers. What changes something is done once, however
/// often it is sent (`AnswerMemory`). Owned by the shard's loop.
final class ControlRouter {
    private struct Remembered {
        var kind: MessageKind
        var body: [UInt8]
    }
    private typealias Key = AnswerMemory<Remembered>.Key

    /// For callers that name no limit.
    private static let longestTimeout = Duration.seconds(600)
    private static let memoryCapacity = 1024

    private unowned let owner: ShardLoop
    private var memory = AnswerMemory<Remembered>(capacity: memoryCapacity)
    /// Where the answer to a running request goes: to where it was asked from last.
    private var waiting: [Key: PeerIdentity] = [:]

    init(_ owner: ShardLoop) { self.owner = owner }

    func receive(_ message: IncomingMessage, from peer: PeerIdentity) {
        switch message.envelope.kind {
        case .hello:
            answer(HelloRequest.self, message, peer) { request, peer throws(BusFault) in
                guard message.isAllowed(as: request.service) else { throw message.impostorFault(request.service) }
                return try self.hello(request, peer)
            }
        case .health: answer(HealthRequest.self, message, peer) { _, _ in self.health() }
        case .metrics: answer(MetricsRequest.self, message, peer) { _, _ in self.metrics() }
        case .volumeList:
            answer(VolumeListRequest.self, message, peer) { _, _ throws(BusFault) in
                try self.requireServing()
                return self.owner.control.list()
            }
        case .volumeDiscover:
            perform(VolumeDiscoverRequest.self, message, peer) { control, _, timeout, answer in
                control.discover(within: timeout, answer: answer)
            }
        case .volumeCreate: perform(VolumeCreateRequest.self, message, peer) { $0.create($1, within: $2, answer: $3) }
        case .volumeCreateCheck:
            answer(VolumeCreateCheckRequest.self, message, peer) { request, _ throws(BusFault) in
                try self.requireServing()
                return try self.owner.control.check(request)
            }
        case .volumeSync: perform(VolumeSyncRequest.self, message, peer) { $0.sync($1, within: $2, answer: $3) }
        case .volumeChange: perform(VolumeChangeRequest.self, message, peer) { $0.change($1, within: $2, answer: $3) }
        case .volumeReservations:
            perform(VolumeReservationsRequest.self, message, peer) { $0.reservations($1, answer: $3) }
        case .volumeCut: perform(VolumeCutRequest.self, message, peer) { $0.cut($1, within: $2, answer: $3) }
        case .volumeHold: perform(VolumeHoldRequest.self, message, peer) { $0.hold($1, answer: $3) }
        case .pendingSnapshots:
            answer(PendingSnapshotsRequest.self, message, peer) { request, _ throws(BusFault) in
                try self.requireServing()
                var reply = self.owner.control.pendingSnapshots(after: request.after)
                let slots = self.owner.slots
                (reply.heldSlots, reply.filledSlots) = (slots.held, slots.filled)
                return reply
            }
        case .settleSnapshots: perform(SettleSnapshotsRequest.self, message, peer) { $0.settle($1, answer: $3) }
        case .volumeDelete: perform(VolumeDeleteRequest.self, message, peer) { $0.delete($1, within: $2, answer: $3) }
        case .volumeWarm:
            perform(VolumeWarmRequest.self, message, peer) { control, request, _, answer in
                control.warm(request, answer: answer)
            }
        case .cacheShow:
            answer(CacheShowRequest.self, message, peer) { _, _ throws(BusFault) in
                try self.requireServing()
                return self.owner.control.describeCache()
            }
        case .cacheChange:
            perform(CacheChangeRequest.self, message, peer) { control, request, timeout, answer in
                control.change(request, within: timeout, answer: answer)
            }
        case .volumeAttach: perform(VolumeAttachRequest.self, message, peer) { $0.attach($1, within: $2, answer: $3) }
        case .io, .uploaderReady, .uploadJob, .uploadResult, .snapshotCreate, .snapshotList, .snapshotDelete,
            .snapshotGroupCreate, .snapshotGroupList, .sessionList, .sessionEnd, .fault:
            owner.refuse(
                message,
                BusFault(.unsupportedKind, "a cache manager does not serve messages of kind \(message.envelope.kind)"))
        }
    }

    // MARK: Answers at once

    private func hello(_ request: HelloRequest, _ peer: PeerIdentity) throws(BusFault) -> HelloRequest.Reply {
        if request.service == .iscsi {
            // Its commands are only taken once all volumes are there; others may wait for that connected.
            try requireServing()
            guard owner.dataPlane.hello(request.instance) else {
                throw BusFault(
                    .revoked,
                    "this frontend instance was silent too long and its commands are refused; "
                        + "it has to come back as a new instance")
            }
        }
        owner.greeted(request, as: peer)
        return HelloRequest.Reply(
            service: .cache, instance: owner.parts.instance, softwareVersion: SoftwareVersion.current,
            gateway: owner.parts.gateway, volumes: owner.shard.volumes.keys.sorted(),
            clockMilliseconds: owner.shard.now.wallMilliseconds)
    }

    private func health() -> HealthRequest.Reply {
        let (isReady, detail) = owner.readiness
        return HealthRequest.Reply(
            service: .cache, instance: owner.parts.instance, softwareVersion: SoftwareVersion.current,
            uptimeSeconds: owner.uptimeSeconds, processID: owner.processID, isReady: isReady,
            detail: detail)
    }

    private func metrics() -> MetricsRequest.Reply {
        let shard = owner.shard
        let now = shard.now.wallMilliseconds
        let figures =
            shard.sortedVolumes.map { VolumeMetrics.Figures($0, at: now, bucketProblem: shard.bucketProblem) }
            + owner.control.standbys.map(VolumeMetrics.Figures.init(standby:))
        let reserved = owner.control.reservations(except: nil).reduce(UInt64(0)) { $0 + $1.uploadBufferByteCount }
        let cache = shard.cache.cache.statistics
        let own = ShardMetrics.families(
            dispatcher: shard.dispatcher, counters: owner.dataPlane.counters,
            frontendCount: owner.dataPlane.frontendCount,
            journalByteCount: owner.parts.configuration.admission.journalByteCount, reservedByteCount: reserved,
            diskWaits: owner.diskWaits)
        return MetricsRequest.Reply(
            families: VolumeMetrics(at: now, cacheByteCount: cache.byteCount).families(of: figures)
                + CacheMetrics.families(of: cache)
                + SnapshotMetrics.families(of: shard.snapshots) + own + owner.busMetrics)
    }

    private func requireServing() throws(BusFault) {
        guard !owner.isServing else { return }
        throw BusFault(.notReady, "the cache manager is not ready: \(owner.readiness.detail)")
    }

    private func answer<Request: BusRequest>(
        _ type: Request.Type, _ message: IncomingMessage, _ peer: PeerIdentity,
        _ work: (Request, PeerIdentity) throws(BusFault) -> Request.Reply
    ) {
        let requestID = message.envelope.requestID
        do throws(BusFault) {
            let request = try decode(type, message)
            let reply = try work(request, peer)
            send(try encode(reply, as: Request.kind), requestID: requestID, to: peer)
        } catch {
            owner.send(error, requestID: requestID, to: peer)
        }
    }

    // MARK: Answers that take time

    private func perform<Request: BusRequest>(
        _ type: Request.Type, _ message: IncomingMessage, _ peer: PeerIdentity,
        _ start: (ControlHandler, Request, Duration, @escaping ControlHandler.Answer<Request.Reply>) -> Void
    ) {
        let envelope = message.envelope
        let key = Key(sender: envelope.sender, request: envelope.requestID)
        let request: Request
        do throws(BusFault) {
            // Not remembered: asked again later, the same request may be served.
            try requireServing()
            request = try decode(type, message)
        } catch {
            return owner.send(error, requestID: envelope.requestID, to: peer)
        }
        switch memory.begin(key, lowestOpen: envelope.lowestOpenNumber) {
        case .stale: return
        case .answered(let answer): return send(answer, requestID: envelope.requestID, to: peer)
        case .running:
            waiting[key] = peer
            return
        case .new: waiting[key] = peer
        }
        start(owner.control, request, Self.timeout(of: envelope)) { [weak self] result in
            self?.finish(key, Request.kind, result)
        }
    }

    private func finish<Reply: Encodable>(_ key: Key, _ kind: MessageKind, _ result: Result<Reply, BusFault>) {
        let answer: Remembered
        do throws(BusFault) {
            answer = try encode(try result.get(), as: kind)
        } catch {
            let body = try? MessageCoder.encode(error)
            answer = Remembered(kind: .fault, body: body ?? [])
        }
        memory.remember(answer, for: key)
        guard let peer = waiting.removeValue(forKey: key) else { return }
        send(answer, requestID: key.request, to: peer)
    }

    /// Shorter than the caller waits, so that it hears our reason and not its own clock.
    private static func timeout(of envelope: Envelope) -> Duration {
        guard envelope.timeoutMilliseconds > 0 else { return longestTimeout }
        let timeout = Duration.milliseconds(Int64(envelope.timeoutMilliseconds))
        return max(timeout / 2, timeout - .milliseconds(500))
    }

    private func decode<Request: BusRequest>(
        _ type: Request.Type, _ message: IncomingMessage
    ) throws(BusFault) -> Request {
        do throws(MessageError) {
            return try message.decodeBody(type)
        } catch {
            throw BusFault(refusing: error)
        }
    }

    private func encode<Reply: Encodable>(_ reply: Reply, as kind: MessageKind) throws(BusFault) -> Remembered {
        do throws(MessageError) {
            return Remembered(kind: kind, body: try MessageCoder.encode(reply))
        } catch {
            throw BusFault(.tooLarge, "the answer cannot be sent: \(error)")
        }
    }

    private func send(_ answer: Remembered, requestID: UInt64, to peer: PeerIdentity) {
        owner.send(MessageSocket.Header(answer.kind, requestID: requestID, isReply: true), body: answer.body, to: peer)
    }
}
