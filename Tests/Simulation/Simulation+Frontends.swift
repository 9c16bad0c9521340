// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Wire

/// Frontends: issuing, sending, sending again, hearing answers, dying.
extension Simulation {
    func addFrontend(gateway: Int, isAuditor: Bool = false) {
        lastInstance += 1
        frontends.append(
            SimulatedFrontend(
                instance: ServiceInstance(rawValue: lastInstance), gateway: gateway, depth: settings.depth,
                isAuditor: isAuditor))
        if !isAuditor { scheduleWake(frontends.count - 1, after: random.below(1_000_000)) }
    }

    private func scheduleWake(_ frontend: Int, after nanoseconds: Int) {
        guard !frontends[frontend].isWakeScheduled else { return }
        frontends[frontend].isWakeScheduled = true
        schedule(.wake(frontend: frontend), after: nanoseconds)
    }

    func wake(_ number: Int) throws(Violation) {
        frontends[number].isWakeScheduled = false
        let frontend = frontends[number]
        guard frontend.isAlive, !frontend.isAuditor, !isDraining else { return }
        if frontend.pausedUntil > now { return scheduleWake(number, after: Int(frontend.pausedUntil - now)) }
        guard frontend.open.count < frontend.depth, issued < options.operations else { return }
        issue(frontend: number)
        scheduleWake(number, after: spread(settings.thinkNanoseconds))
        try countForChaos()
    }

    private func issue(frontend number: Int) {
        issued += 1
        lastIssue = now
        let oracle = gateways[frontends[number].gateway].oracle
        let reference = random.oneIn(6) ? max(0, oracle.published - random.below(20)) : oracle.last
        workload.sectorCount = knownByteCount(gateways[frontends[number].gateway]) / 512
        let isForced = random.oneIn(12)
        let (command, zeros, expected) = workload.next(random: &random) {
            oracle.history.version(of: $0, at: reference).stamp
        }
        _ = issue(command, isForced: isForced, zeros: zeros, expected: expected, frontend: number)
        if random.oneIn(40) { askProvisioning(gateways[frontends[number].gateway]) }
    }

    /// Gives the command its number and sends it.
    func issue(
        _ command: VolumeCommand, isForced: Bool = false, zeros: Bool, expected: [SectorPattern.Stamp],
        frontend number: Int
    ) -> Int {
        let gateway = gateways[frontends[number].gateway]
        var simulated = SimulatedCommand(
            origin: RequestOrigin(frontend: frontends[number].instance, number: frontends[number].nextNumber),
            nexus: frontends[number].nexus, frontend: number, gateway: gateway.index, command: command,
            forcesUnitAccess: isForced, stamp: zeros ? 0 : ledger.nextStamp, expected: expected)
        simulated.isAudit = frontends[number].isAuditor
        simulated.knownPosition = gateway.oracle.acknowledged
        frontends[number].nextNumber += 1
        let index = ledger.add(simulated)
        frontends[number].open.append(index)
        send(index)
        return index
    }

    /// Sends a command; while the gateway is away it stays with its frontend.
    func send(_ number: Int) {
        let frontend = ledger[number].frontend
        let gateway = gateways[ledger[number].gateway]
        guard gateway.volume != nil else { return }
        ledger[number].sentCount += 1
        let lowest = frontends[frontend].lowestOpenNumber(ledger)
        post(.request(command: number, lowestOpenNumber: lowest), from: frontend, to: gateway)
    }

    private func post(
        _ message: SimulatedGateway.Message, from frontend: Int, to gateway: SimulatedGateway
    ) {
        let time = max(frontends[frontend].lastArrival, now + UInt64(5_000 + random.below(100_000)))
        frontends[frontend].lastArrival = time
        queue.add(
            .message(
                gateway: gateway.index, life: gateway.life, frontend: frontend,
                connection: frontends[frontend].connection, message),
            at: time)
    }

    /// Everything unanswered again, in the original order, before anything new (STORAGE §4).
    func resendAll(frontend: Int) {
        for number in frontends[frontend].open { send(number) }
        for barrier in frontends[frontend].barriers { sendBarrier(barrier, frontend: frontend) }
    }

    /// The connection breaks: what travels on it in either direction is lost.
    func reconnect(frontend: Int) {
        frontends[frontend].connection += 1
        if !frontends[frontend].open.isEmpty { rare.add(.duplicateInFlight) }
        resendAll(frontend: frontend)
    }

    func receive(_ kind: AnswerKind, for number: Int, frontend: Int) {
        guard case .open = ledger[number].state, frontends[frontend].isAlive else { return }
        switch kind {
        case .done: ledger[number].state = .answered
        case .busy:
            // It is sent again under its number if a copy of it may still arrive.
            if ledger[number].sentCount > 1 || ledger[number].isAudit {
                schedule(.action(gateway: 0, life: 0, .resend(number)), after: spread(5_000_000))
                return
            }
            ledger[number].state = ledger[number].changesVolume ? .refused : .answered
        case .aborted: ledger[number].state = ledger[number].changesVolume ? .refused : .answered
        case .failed, .fenced: ledger[number].state = .abandoned
        }
        close(number, frontend: frontend)
    }

    private func close(_ number: Int, frontend: Int) {
        frontends[frontend].open.removeAll { $0 == number }
        scheduleWake(frontend, after: spread(settings.thinkNanoseconds))
    }

    // MARK: Sessions and deaths

    /// A session is reinstated: its commands are dropped, and nothing new starts before the barrier is passed.
    func reinstate(frontend: Int) {
        let nexus = frontends[frontend].nexus
        let commands = frontends[frontend].open.filter { ledger[$0].nexus == nexus }
        guard !commands.isEmpty else { return }
        for number in commands { ledger[number].state = .abandoned }
        frontends[frontend].open.removeAll { commands.contains($0) }
        frontends[frontend].nexus += 1
        frontends[frontend].barriers.append((nexus, commands))
        sendBarrier((nexus, commands), frontend: frontend)
        scheduleWake(frontend, after: spread(settings.thinkNanoseconds))
    }

    private func sendBarrier(_ barrier: (nexus: UInt64, commands: [Int]), frontend: Int) {
        let gateway = gateways[frontends[frontend].gateway]
        guard gateway.volume != nil else { return }
        let caller = nextCaller()
        gateway.callers[caller] = .barrier(frontend: frontend, commands: barrier.commands)
        post(.barrier(frontend: frontend, nexus: barrier.nexus, caller), from: frontend, to: gateway)
    }

    /// The process dies and another takes its place; what it had sent may still be applied until it is revoked.
    func die(frontend: Int) {
        rare.add(.frontendDied)
        retire(frontend: frontend)
        let gateway = gateways[frontends[frontend].gateway]
        addFrontend(gateway: gateway.index)
        schedule(
            .action(gateway: gateway.index, life: gateway.life, .revoke(frontend)), after: spread(20_000_000))
    }

    func retire(frontend: Int) {
        frontends[frontend].isAlive = false
        for number in frontends[frontend].open { ledger[number].state = .abandoned }
        frontends[frontend].open = []
        frontends[frontend].barriers = []
    }

    /// Nothing of a dead frontend may be applied from now on.
    func revoke(frontend: Int, _ gateway: SimulatedGateway) throws(Violation) {
        guard let volume = gateway.volume else { return }
        rare.add(.frontendRevoked)
        frontends[frontend].connection += 1  // The bus has dropped its connection.
        gateway.inbox.removeAll { message in
            if case .request(let number, _) = message { return ledger[number].frontend == frontend }
            return false
        }
        gateway.received = gateway.received.filter { ledger[$0].frontend != frontend }
        volume.revoke(frontends[frontend].instance, at: engineTime)
        try drain(gateway)
    }
}
