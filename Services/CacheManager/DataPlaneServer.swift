// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import Platform
package import SCSI
package import Wire

/// The volumes' front door: decides for each I/O request whether it may reach its volume, and collects the answers
/// for one message per frontend. `Peer` is how the bus names a connection. Owned by the shard's thread.
package final class DataPlaneServer<Peer: Equatable> {
    package struct Answer {
        package var reply: IOReply
        package var payload: IOBuffer?
    }

    /// What goes to one socket of a frontend in one message.
    package struct Batch {
        package let frontend: ServiceInstance
        package let peer: Peer
        package fileprivate(set) var answers: [Answer]
        fileprivate var payloadByteCount: Int

        fileprivate init(frontend: ServiceInstance, peer: Peer, answer: Answer) {
            self.frontend = frontend
            self.peer = peer
            answers = [answer]
            payloadByteCount = answer.payload?.byteCount ?? 0
        }
    }

    /// More answers than this are sent at once, so that a message stays within the bus's limits.
    package static var batchLimit: Int { 64 }
    /// A batch with this much data is closed: its frontend is not to wait for the whole of a long one.
    package static var batchByteLimit: Int { 1 << 20 }
    /// Nexuses that are remembered; those of frontends that are gone make room.
    private static var nexusCapacity: Int { 16_384 }

    private let shard: Shard
    private var frontends: FrontendTable<Peer>
    private var batches: [Batch] = []
    /// Through which frontend each nexus speaks since its last barrier. What another frontend still sends of it was
    /// fenced off by that barrier.
    private var nexusOwners: [UInt64: ServiceInstance] = [:]
    package private(set) var counters = IOCounters()
    private var clock = RequestClock()
    /// False while stopping: frontends keep their commands and send them to the next run.
    package var isServing = false

    package init(shard: Shard, frontends: FrontendTable<Peer> = FrontendTable()) {
        self.shard = shard
        self.frontends = frontends
    }

    package var frontendCount: Int { frontends.count }

    // MARK: Frontends

    /// - Returns: false if the instance was revoked.
    package func hello(_ frontend: ServiceInstance) -> Bool { frontends.hello(frontend, at: shard.now.nanoseconds) }

    /// A volume whose unit has nexuses from an earlier run: they belong to the frontends that had them then, and end
    /// with those that do not come back.
    package func adopt(_ hosted: HostedVolume) {
        for (nexus, frontend) in hosted.unit.server.attachedFrontends {
            guard frontends.expect(frontend, at: shard.now.nanoseconds) else {
                shard.frontendLost(frontend, on: hosted)
                continue
            }
            if nexusOwners[nexus.rawValue] == nil { nexusOwners[nexus.rawValue] = frontend }
        }
    }

    /// Any other message of a frontend: it lives. Harmless for peers that are no frontends.
    package func heard(_ sender: ServiceInstance) { _ = frontends.heard(sender, at: shard.now.nanoseconds) }

    package func revokeSilentFrontends() -> [ServiceInstance] {
        let silent = frontends.revokeSilent(at: shard.now.nanoseconds)
        for frontend in silent { shard.revoke(frontend) }
        counters.revokedFrontends += UInt64(silent.count)
        return silent
    }

    /// After this process stood still.
    package func excuseSilence() { frontends.excuseSilence(at: shard.now.nanoseconds) }

    package var nextDeadline: UInt64? { frontends.nextDeadline }

    // MARK: Requests

    /// One request of a message from `peer`; what it changes is settled by the caller once the message is through.
    package func receive(
        _ request: IORequest, payload: UnsafeRawBufferPointer, from peer: Peer, at time: EngineTime
    ) {
        counters.requests += 1
        guard isServing else { return }
        switch frontends.heard(request.frontend, at: time.nanoseconds) {
        case .admitted: break
        case .helloRequired: return answer(request, .helloRequired, to: peer)
        case .revoked: return refuse(request, from: peer)
        }
        if request.deadlineMilliseconds != 0, request.deadlineMilliseconds < time.wallMilliseconds {
            return refuse(request, from: peer)
        }
        // A nexus that speaks through another frontend now is not lost with this one.
        if request.operation != .nexusBarrier, let owner = nexusOwners[request.nexus], owner != request.frontend {
            return refuse(request, from: peer)
        }
        guard let hosted = shard.volumes[request.volume] else { return answer(request, .unknownVolume, to: peer) }
        let origin = RequestOrigin(frontend: request.frontend, number: request.number)
        frontends.route(origin, lowestOpenNumber: request.lowestOpenNumber, to: peer)
        if let operation = VolumeOperation(request.operation) {
            clock.start(origin, .init(volume: request.volume, operation: operation, at: time.nanoseconds))
        }
        let intake = unsafe request.intake(payload: payload, commandByteCount: hosted.limits.commandByteCount)
        switch intake {
        case .volume(var command):
            if hosted.unit.server.isWriteThrough(for: NexusID(rawValue: command.nexus)) {
                command.forceUnitAccess = true
            }
            if let refusal = shard.refusal(of: request.traits, command, on: hosted) {
                return reply(to: origin, with: refusal)
            }
            // These touch no sectors, but may name only some that exist.
            if request.operation == .flush || request.operation == .prefetch,
                !hosted.unit.server.unit.contains(request.sectors)
            {
                return reply(to: origin, with: VolumeReply.outOfRange)
            }
            if request.operation == .flush { hosted.unit.server.flushes(NexusID(rawValue: request.nexus)) }
            unsafe shard.submit(command, payload: payload, to: hosted, at: time)
        case .malformed:
            counters.malformed += 1
            _ = clock.stop(origin)
            answer(request, .refused, to: peer)
        case .barrier, .nexusLoss, .check, .deviceServer, .taskManagement:
            shard.whenOpened(hosted) { [self] in receive(intake, request, origin, on: hosted) }
        }
    }

    /// What is the unit's and not the medium's.
    private func receive(
        _ intake: IOIntake, _ request: IORequest, _ origin: RequestOrigin, on hosted: HostedVolume
    ) {
        let commandOrigin = CommandOrigin(
            nexus: NexusID(rawValue: request.nexus), frontend: request.frontend, number: request.number,
            lowestOpenNumber: request.lowestOpenNumber)
        switch intake {
        case .barrier(let start):
            if let start, !shard.sessionBegins(start, commandOrigin, on: hosted) {
                return reply(to: origin, with: CommandResult.busy)
            }
            let former = claim(request.nexus, for: request.frontend)
            // One that can still send must not come first again after a restart.
            let isTakenOver = former.map { $0 != request.frontend && frontends.isKnown($0) } ?? false
            shard.barrier(origin, nexus: request.nexus, former: former, isTakenOver: isTakenOver, on: hosted)
        case .nexusLoss:
            shard.nexusLost(commandOrigin, on: hosted)
            shard.barrier(origin, nexus: request.nexus, former: nil, on: hosted)
        case .check(let cdb):
            reply(to: origin, with: shard.check(cdb, request.sectors, commandOrigin, on: hosted))
        case .deviceServer(let cdb, let dataOut): shard.perform(cdb, dataOut, commandOrigin, on: hosted)
        case .taskManagement(let function): shard.manage(function, commandOrigin, on: hosted)
        case .volume, .malformed: break
        }
    }

    /// - Returns: the frontend that spoke for the nexus before.
    private func claim(_ nexus: UInt64, for frontend: ServiceInstance) -> ServiceInstance? {
        if nexusOwners.count >= Self.nexusCapacity, nexusOwners[nexus] == nil {
            // A frontend that is not known cannot send anything, so nothing needs to be fenced off from it.
            nexusOwners = nexusOwners.filter { frontends.isKnown($0.value) }
            if nexusOwners.count >= Self.nexusCapacity { nexusOwners.removeAll() }
        }
        return nexusOwners.updateValue(frontend, forKey: nexus)
    }

    /// A message whose frames do not fit together; nothing in it was looked at.
    package func countMalformedMessage() { counters.malformed += 1 }

    // MARK: Answers

    /// The engine's answer; dropped if the frontend is gone, for it will ask again if it comes back.
    package func reply(to origin: RequestOrigin, with reply: VolumeReply) {
        if let arrival = clock.stop(origin) {
            let now = shard.now.nanoseconds
            shard.volumes[arrival.volume]?.latencies.record(
                arrival.operation, nanoseconds: now - min(now, arrival.at))
        }
        guard let peer = frontends.takeRoute(origin) else { return }
        let (status, information) = reply.status
        var answer = Answer(
            reply: IOReply(frontend: origin.frontend, number: origin.number, status: status, information: information))
        if case .data(let buffer) = reply {
            answer.payload = buffer
            answer.reply.payloadByteCount = UInt32(buffer.byteCount)
        }
        append(answer, to: peer)
    }

    /// The unit's answer.
    package func reply(to origin: RequestOrigin, with result: CommandResult) {
        _ = clock.stop(origin)
        guard let peer = frontends.takeRoute(origin) else { return }
        let status: IOReply.Status
        var payload: [UInt8] = []
        switch result.status {
        case .good, .conditionMet: (status, payload) = (.good, result.dataIn)
        case .checkCondition: (status, payload) = (.checkCondition, result.sense?.encoded() ?? [])
        case .reservationConflict: status = .reservationConflict
        case .taskAborted: status = .aborted
        case .busy, .taskSetFull: status = .busy
        }
        var answer = Answer(reply: IOReply(frontend: origin.frontend, number: origin.number, status: status))
        if !payload.isEmpty {
            answer.payload = IOBuffer(payload)
            answer.reply.payloadByteCount = UInt32(payload.count)
        }
        append(answer, to: peer)
    }

    /// All answers since the last call, by frontend.
    package func takeBatches(_ send: (Batch) -> Void) {
        guard !batches.isEmpty else { return }
        let taken = batches
        batches.removeAll(keepingCapacity: true)
        for batch in taken { send(batch) }
    }

    private func refuse(_ request: IORequest, from peer: Peer) {
        counters.refused += 1
        answer(request, .refused, to: peer)
    }

    private func answer(_ request: IORequest, _ status: IOReply.Status, to peer: Peer) {
        append(
            Answer(reply: IOReply(frontend: request.frontend, number: request.number, status: status)), to: peer)
    }

    private func append(_ answer: Answer, to peer: Peer) {
        // Few frontends, so looking through the open batches is cheaper than a table.
        let frontend = answer.reply.frontend
        for index in batches.indices
        where batches[index].frontend == frontend && batches[index].peer == peer
            && batches[index].answers.count < Self.batchLimit
            && batches[index].payloadByteCount < Self.batchByteLimit
        {
            batches[index].payloadByteCount += answer.payload?.byteCount ?? 0
            batches[index].answers.append(answer)
            return
        }
        batches.append(Batch(frontend: frontend, peer: peer, answer: answer))
    }
}
