// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Wire

/// What happens to gateways, frontends and the bucket besides their load.
extension Simulation {
    /// Called for each command issued.
    func countForChaos() throws(Violation) {
        guard issued >= nextChaos, !isDraining else { return }
        nextChaos = issued + 1 + random.below(2 * settings.chaosInterval)
        try makeChaos()
    }

    private func makeChaos() throws(Violation) {
        let gateway = gateways[owner]
        switch random.below(100) {
        case 0..<16: crashSoon(gateway, .process)
        case 16..<30: crashSoon(gateway, .power)
        case 30..<36: stop(gateway)
        case 36..<43: commit(gateway)
        case 43..<50: try cut(gateway)
        case 50..<54: try takeOverWhileAlive(gateway)
        case 54..<57: try wipe(gateway)
        case 57..<62: try makeBackup()
        case 62..<65: try restoreBackup()
        case 65..<72:
            rare.add(.outage)
            faults.beginOutage(until: now + UInt64(spread(400_000_000)))
        case 72..<75: fillDisk(gateway)
        case 75..<78: rot(gateway)
        case 78..<82: warm(gateway)
        case 82..<85: changeCache(gateway)
        case 85..<88: abort(gateway)
        case 88..<95: amend(gateway)
        default: try disturbFrontend()
        }
    }

    /// At once, or in the middle of whatever runs in the next milliseconds.
    private func crashSoon(_ gateway: SimulatedGateway, _ kind: Crash) {
        schedule(
            .action(gateway: gateway.index, life: gateway.life, .crash(kind)), after: random.below(4_000_000))
    }

    private func stop(_ gateway: SimulatedGateway) {
        guard let volume = gateway.volume else { return }
        let caller = nextCaller()
        gateway.callers[caller] = .stop(known: gateway.oracle.acknowledged)
        trace.line(now, "g\(gateway.index) is asked to stop")
        volume.stop(caller: caller, at: engineTime)
        // In an outage it cannot: then it is killed.
        schedule(
            .action(gateway: gateway.index, life: gateway.life, .crash(.process)), after: spread(500_000_000))
    }

    func commit(_ gateway: SimulatedGateway) {
        guard let volume = gateway.volume else { return }
        let caller = nextCaller()
        gateway.callers[caller] = .commit(known: gateway.oracle.acknowledged)
        trace.line(now, "g\(gateway.index) is asked to commit")
        volume.commit(caller: caller, at: engineTime)
    }

    /// The old owner goes on, not knowing; after a while it is restarted or cut off.
    private func takeOverWhileAlive(_ old: SimulatedGateway) throws(Violation) {
        guard headWriter == old.index, gateways.count < 12 else { return }
        guard settings.leaseMilliseconds == nil else { return watchLease(of: old) }
        try takeOver()
        schedule(.action(gateway: old.index, life: old.life, .crash(.process)), after: spread(60_000_000))
        schedule(.action(gateway: old.index, life: -1, .retire), after: 300_000_000 + spread(300_000_000))
    }

    /// Another machine looks at HEAD again and again, and takes the volume when the lease has passed without a change.
    private func watchLease(of old: SimulatedGateway) {
        guard let tag = store[BucketLayout.head(volume)]?.tag else { return }
        old.isCutOff = !random.oneIn(3)
        let action = Action.waitForLease(tag, since: now, looks: 0)
        schedule(.action(gateway: old.index, life: -1, action), after: leaseNanoseconds / 4)
    }

    private var leaseNanoseconds: Int { Int(settings.leaseMilliseconds ?? 0) * 1_000_000 }

    private func look(
        at seen: EntityTag, since: UInt64, looks: Int, _ old: SimulatedGateway
    ) throws(Violation) {
        guard headWriter == old.index, old.status != .retired, !isDraining, gateways.count < 12,
            let tag = store[BucketLayout.head(volume)]?.tag
        else {
            old.isCutOff = false
            return
        }
        if tag == seen, now - since >= UInt64(leaseNanoseconds) {
            rare.add(.leaseTakenOver)
            try takeOver()
            // It wakes up some time later, and finds out.
            schedule(.action(gateway: old.index, life: -1, .reconnect), after: spread(leaseNanoseconds))
            return schedule(
                .action(gateway: old.index, life: -1, .retire), after: 2 * leaseNanoseconds + spread(300_000_000))
        }
        guard looks < 12 else {
            rare.add(.leaseKept)
            old.isCutOff = false
            return
        }
        let action = Action.waitForLease(tag, since: tag == seen ? since : now, looks: looks + 1)
        schedule(.action(gateway: old.index, life: -1, action), after: leaseNanoseconds / 4)
    }

    /// Another machine sees that the owner has shut the volume down, perhaps before the owner knows that itself.
    private func takeIfHandedOver(from old: SimulatedGateway) throws(Violation) {
        guard headWriter == old.index, old.status != .retired, !isDraining, gateways.count < 12,
            let object = store[BucketLayout.head(volume)], try decode(object.bytes).cleanShutdown
        else { return }
        rare.add(.leaseHandedOver)
        try takeOver()
        schedule(
            .action(gateway: old.index, life: -1, .retire), after: 2 * leaseNanoseconds + spread(300_000_000))
    }

    private func wipe(_ gateway: SimulatedGateway) throws(Violation) {
        guard headWriter == gateway.index, gateways.count < 12 else { return }
        rare.add(.stateWiped)
        retire(gateway)
        try takeOver()
    }

    private func fillDisk(_ gateway: SimulatedGateway) {
        guard random.oneIn(settings.diskFaults.full) || settings.diskFaults.full > 0 else { return }
        gateway.isDiskFull = true
        schedule(.action(gateway: gateway.index, life: gateway.life, .diskHeals), after: spread(100_000_000))
    }

    /// Flips one bit of block data that is on the medium.
    private func rot(_ gateway: SimulatedGateway) {
        guard settings.diskFaults.rot > 0, let segment = gateway.disk.segmentIDs.randomElement(using: &random) else {
            return
        }
        let byteOffset = random.below(gateway.disk.segmentByteCount)
        // Elsewhere a bad block cannot be told from a torn tail.
        guard gateway.sealed.contains(segment), gateway.oracle.holdsBlockData(segment, byteOffset) else { return }
        if gateway.disk.rot(segment, byteOffset: byteOffset, random: &random) {
            trace.line(now, "g\(gateway.index) bit rot in \(segment) at \(byteOffset)")
        }
    }

    /// Some initiator resets the unit, or aborts what a nexus has sent.
    private func abort(_ gateway: SimulatedGateway) {
        let nexuses = Set(frontends.filter { $0.gateway == gateway.index && $0.isAlive }.map(\.nexus)).sorted()
        let nexus = random.oneIn(3) ? nil : nexuses.randomElement(using: &random)
        deliver(.abort(nexus: nexus), to: gateway)
        // Some who are told lose the answer, and ask again.
        guard random.oneIn(2) else { return }
        for frontend in frontends.indices where frontends[frontend].gateway == gateway.index {
            schedule(
                .action(gateway: gateway.index, life: gateway.life, .lose(frontend: frontend)),
                after: random.below(90_000))
        }
    }

    func abort(_ nexus: UInt64?, _ volume: Volume, of gateway: SimulatedGateway) {
        let isAborted = { (command: UInt64) in nexus.map { $0 == command } ?? true }
        let caller = nextCaller()
        let commands = gateway.received.sorted().filter {
            ledger[$0].changesVolume && isAborted(ledger[$0].nexus)
        }
        gateway.callers[caller] = .abort(commands: commands)
        rare.add(.abort)
        trace.line(now, "g\(gateway.index) aborts \(nexus.map { "nexus \($0)" } ?? "everything")")
        volume.abort(caller: caller, at: engineTime) { isAborted($0.nexus) }
    }

    /// Everything that was there when it was aborted is in the journal or was answered.
    func abortPassed(_ commands: [Int], _ gateway: SimulatedGateway) throws(Violation) {
        trace.line(now, "g\(gateway.index) -> aborted")
        guard settings.leaseMilliseconds == nil else { return }  // Answers may be withheld.
        for number in commands where gateway.received.contains(number) {
            guard case .open = ledger[number].state else { continue }
            let position = gateway.oracle.position(of: number)
            guard position > 0, position <= gateway.oracle.published else {
                throw Violation(.refusedIsNotApplied, "#\(number) still waits although it was aborted")
            }
        }
    }

    private func disturbFrontend() throws(Violation) {
        let candidates = frontends.indices.filter {
            frontends[$0].isAlive && !frontends[$0].isAuditor && frontends[$0].gateway == owner
        }
        guard let frontend = candidates.randomElement(using: &random) else { return }
        switch random.below(5) {
        case 0: die(frontend: frontend)
        case 1: reinstate(frontend: frontend)
        case 2: frontends[frontend].pausedUntil = now + UInt64(spread(100_000_000))
        case 3:
            // The same requests once more, while the first ones are still under way.
            if !frontends[frontend].open.isEmpty { rare.add(.duplicateInFlight) }
            resendAll(frontend: frontend)
        default: reconnect(frontend: frontend)
        }
    }

    func perform(_ action: Action, _ number: Int, _ life: Int) throws(Violation) {
        let gateway = gateways[number]
        let isCurrent = gateway.life == life
        switch action {
        case .diskHeals: if isCurrent { gateway.isDiskFull = false }
        case .crash(let kind): if isCurrent, gateway.volume != nil { crash(gateway, kind) }
        case .revoke(let frontend): if isCurrent { try revoke(frontend: frontend, gateway) }
        case .resend(let command):
            if case .open = ledger[command].state { send(command) }
        case .reconnect: gateway.isCutOff = false
        case .lose(let frontend): if isCurrent, frontends[frontend].isAlive { reconnect(frontend: frontend) }
        case .waitForLease(let tag, let since, let looks): try look(at: tag, since: since, looks: looks, gateway)
        case .takeIfHandedOver: try takeIfHandedOver(from: gateway)
        case .keep(let caller): if isCurrent { try keep(caller, gateway) }
        case .retire:
            guard gateway.status != .retired else { return }
            trace.line(now, "g\(gateway.index) is cut off")
            retire(gateway)
            try requireOwner()
        }
    }

    /// Somebody must own the volume: if the last owner is gone for good, another machine takes over.
    func requireOwner() throws(Violation) {
        guard let writer = headWriter else { return }
        if gateways[writer].status != .retired {
            owner = writer
            let hasFrontend = frontends.contains { $0.isAlive && !$0.isAuditor && $0.gateway == owner }
            if !hasFrontend { addFrontend(gateway: owner) }
        } else {
            try takeOver()
        }
    }
}
