// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// Driving the engine as its driver does: batches of messages in, effects out, deadlines kept.
extension Simulation {
    func deliver(_ message: SimulatedGateway.Message, to gateway: SimulatedGateway) {
        guard gateway.volume != nil else { return }
        gateway.inbox.append(message)
        guard !gateway.isBatchScheduled else { return }
        gateway.isBatchScheduled = true
        schedule(.batch(gateway: gateway.index, life: gateway.life), after: random.below(40_000))
    }

    func runBatch(_ gateway: SimulatedGateway) throws(Violation) {
        guard let volume = gateway.volume else { return }
        gateway.isBatchScheduled = false
        let inbox = gateway.inbox
        gateway.inbox = []
        for message in inbox {
            switch message {
            case .request(let number, let lowestOpenNumber):
                submit(number, lowestOpenNumber, to: volume, of: gateway)
            case .barrier(let frontend, let nexus, let caller):
                volume.barrier(
                    frontend: frontends[frontend].instance, nexus: nexus, caller: caller, at: engineTime)
            case .abort(let nexus): abort(nexus, volume, of: gateway)
            case .amend(let change): amend(change, volume, of: gateway)
            case .provisioning(let sector, let limit): askProvisioning(from: sector, limit: limit, volume, of: gateway)
            }
        }
        volume.endOfBatch(at: engineTime)
        try drain(gateway)
    }

    private func submit(
        _ number: Int, _ lowestOpenNumber: UInt64, to volume: Volume, of gateway: SimulatedGateway
    ) {
        let command = ledger[number]
        gateway.received.insert(number)
        noteArrival(number, command, at: gateway)
        trace.note(1, UInt64(number), now)
        trace.line(now, "g\(gateway.index) <- #\(number) \(command.command) stamp \(command.stamp)")
        let payload = ledger.payload(of: number)
        let request = VolumeRequest(
            origin: command.origin, lowestOpenNumber: lowestOpenNumber, nexus: command.nexus,
            command: command.command, forceUnitAccess: command.forcesUnitAccess)
        unsafe payload.withUnsafeBytes { unsafe volume.submit(request, payload: $0, at: engineTime) }
    }

    func runDeadline(_ gateway: SimulatedGateway) throws(Violation) {
        guard let volume = gateway.volume else { return }
        if gateway.deadline.map({ $0 <= now }) ?? false { gateway.deadline = nil }
        if let due = gateway.cache.nextDeadline, due <= engineTime.nanoseconds {
            gateway.cache.advance(to: engineTime.nanoseconds)
        }
        if let due = volume.nextDeadline, due <= engineTime.nanoseconds {
            idleAdvances += 1
            guard idleAdvances < 10_000 else {
                throw Violation(.progressAfterHealing, "the engine's deadline \(due) does not move")
            }
            volume.advance(to: engineTime)
        }
        try drain(gateway)
    }

    func send(_ event: EngineEvent, to gateway: SimulatedGateway) throws(Violation) {
        gateway.volume?.handle(event, at: engineTime)
        try drain(gateway)
    }

    /// Carries out all that the engine wants, and keeps its next deadline.
    func drain(_ gateway: SimulatedGateway) throws(Violation) {
        let life = gateway.life
        var effects: [Effect] = []
        while let volume = gateway.volume, gateway.life == life {
            effects.removeAll(keepingCapacity: true)
            volume.takeEffects(&effects)
            for effect in effects where gateway.life == life { try perform(effect, of: gateway) }
            guard gateway.life == life else { return }
            var cacheEffects: [CacheEffect] = []
            gateway.cache.takeEffects(&cacheEffects)
            if effects.isEmpty && cacheEffects.isEmpty { break }
            for effect in cacheEffects { perform(effect, of: gateway) }
        }
        guard gateway.life == life else { return }
        guard let due = [gateway.volume?.nextDeadline, gateway.cache.nextDeadline].compactMap({ $0 }).min() else {
            return
        }
        let time = max(due, now)
        if let scheduled = gateway.deadline, scheduled <= time { return }
        gateway.deadline = time
        queue.add(.deadline(gateway: gateway.index, life: life), at: time)
    }

    private func perform(_ effect: Effect, of gateway: SimulatedGateway) throws(Violation) {
        switch effect {
        case .reply(let origin, let reply): try answer(origin, reply, from: gateway)
        case .prepareSegment, .writeSegment, .syncSegments, .readSegment, .readSegments, .saveState:
            try performDisk(effect, of: gateway)
        case .reservePack(let token):
            gateway.packs.request(token, of: self.volume)
            givePacks(gateway)
        case .releasePack:
            gateway.packs.release(of: self.volume)
            givePacks(gateway)
        case .putPack, .putObject, .getObject, .getRange: try performBucket(effect, of: gateway)
        case .getFrame(let token, let frame, let urgency):
            if urgency == .background { rare.add(.framePrefetched) }
            let waiter = CacheWaiter(volume: volume, token: token)
            gateway.cache.get(frame, urgency, for: waiter, at: engineTime.nanoseconds)
        case .warmFrame(let token, let frame):
            let waiter = CacheWaiter(volume: volume, token: token)
            gateway.cache.warm(frame, for: waiter, at: engineTime.nanoseconds)
        case .getNode(let token, let node, let urgency):
            let waiter = CacheWaiter(volume: volume, token: token)
            gateway.cache.get(node, urgency, for: waiter, at: engineTime.nanoseconds)
        case .hastenNode(let node): gateway.cache.hasten(node)
        case .keepNodes(let nodes, let bytes): gateway.cache.keep(nodes, of: bytes, at: engineTime.nanoseconds)
        case .barrierPassed(let caller): try barrierPassed(caller, gateway)
        case .finished(let caller, let result): try finished(caller, result, gateway)
        case .cutDurable(let caller): try cutDurable(caller, gateway)
        case .settingsChanged(let head): try settingsChanged(head, gateway)
        case .provisioning(let caller, let result): try provisioned(caller, result, gateway)
        case .report(let report): try reported(report, by: gateway)
        }
    }

    private func barrierPassed(_ caller: CallerToken, _ gateway: SimulatedGateway) throws(Violation) {
        let kind = gateway.callers.removeValue(forKey: caller)
        if case .abort(let commands) = kind { return try abortPassed(commands, gateway) }
        guard case .barrier(let frontend, let commands) = kind else {
            throw Violation(.effectsAreWellFormed, "an answer to a barrier that nobody asked for")
        }
        rare.add(.barrier)
        trace.note(2, now)
        trace.line(now, "g\(gateway.index) -> barrier passed for frontend \(frontend)")
        for number in commands where gateway.oracle.position(of: number) == 0 { ledger[number].state = .refused }
        frontends[frontend].barriers.removeAll { $0.commands == commands }
    }

    private func finished(
        _ caller: CallerToken, _ result: Result<Head, VolumeFailure>, _ gateway: SimulatedGateway
    ) throws(Violation) {
        guard let kind = gateway.callers.removeValue(forKey: caller) else {
            throw Violation(.effectsAreWellFormed, "an answer to a call that nobody made")
        }
        trace.note(3, now)
        trace.line(now, "g\(gateway.index) -> finished \(kind): \(result.map { $0.commitNumber })")
        switch (kind, result) {
        case (.commit(let known), .success(let head)), (.stop(let known), .success(let head)):
            let covered = gateway.oracle.position(at: head.journalSequence)
            guard covered >= known else {
                throw Violation(
                    .commitCoversAcknowledged,
                    "commit \(head.commitNumber) covers \(covered), acknowledged were \(known)")
            }
            guard !gateway.knowsSuccessor else { throw Violation(.staleOwnerIsFenced, "a stale owner committed") }
            if case .stop = kind { try stopped(gateway, head) }
        case (.amend(let change), .success(let head)): try amended(change, head, gateway)
        case (.amend(let change), .failure(.invalidChange(let reason))):
            // Another change, perhaps one of which nobody heard, has gone beyond this size.
            guard change.byteCount.map({ $0 < askedByteCount }) ?? false else {
                throw Violation(.settingsAreKept, "\(change) is refused: \(reason)")
            }
        case (.cut, .success(let head)): try cutFinished(caller, head, gateway)
        case (.stop, .failure): crash(gateway, .process)
        case (.commit, .failure), (.cut, .failure), (.barrier, _), (.abort, _), (.provisioning, _), (.amend, .failure):
            break
        }
    }

    private func stopped(_ gateway: SimulatedGateway, _ head: Head) throws(Violation) {
        guard head.cleanShutdown else {
            throw Violation(.commitCoversAcknowledged, "stopped without saying so in HEAD")
        }
        guard gateway.packs.isUnused else {
            throw Violation(.effectsAreWellFormed, "stopped with memory for packs in its hands")
        }
        rare.add(.cleanStop)
        crash(gateway, .process)
    }
}
