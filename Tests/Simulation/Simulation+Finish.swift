// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Wire

/// The first and the last steps of a run.
extension Simulation {
    func begin() throws(Violation) {
        nextChaos = 20 + random.below(settings.chaosInterval)
        let gateway = addGateway(SimulatedDisk(segmentByteCount: settings.limits.segmentByteCount))
        for _ in 0..<settings.frontendCount { addFrontend(gateway: gateway.index) }
        try start(gateway)
    }

    /// All faults end. Whoever owns the volume must answer everything, commit, stop cleanly, and the bucket alone must
    /// hold the same bytes.
    func finish() throws(Violation) {
        isDraining = true
        faults.heal()
        for gateway in gateways {
            gateway.isDiskFull = false
            gateway.isCutOff = false
        }
        try settleOwner()
        try wait("every command is answered") {
            self.frontends.allSatisfy { $0.open.isEmpty && $0.barriers.isEmpty } && self.isServing
        }
        audit(gateways[owner], everything: true)
        try wait("the whole image is read") { self.frontends.allSatisfy { $0.open.isEmpty } }
        try commitAndWait()
        try wait("every promised cut is kept") { self.gateways[self.owner].disk.cuts.isEmpty }
        try checkBucket()
        if seed % 3 == 0 { try checkUnmapped() }
        try stopAndWait()
        if seed % 4 == 0 { try readBackElsewhere() }
    }

    private var isServing: Bool {
        let gateway = gateways[owner]
        guard gateway.status == .running, gateway.callers.isEmpty else { return false }
        return gateway.volume?.statistics.phase == .serving
    }

    func wait(_ what: String, until isDone: () -> Bool) throws(Violation) {
        let end = now + Self.patience
        try runEvents { !isDone() && self.now < end && self.queue.nextTime != nil }
        guard isDone() else {
            let waiting = frontends.flatMap(\.open).map { "#\($0) \(ledger[$0].command)" }
            throw Violation(
                .progressAfterHealing,
                "it never happens that \(what); g\(owner) \(gateways[owner].status), "
                    + "phase \(gateways[owner].volume?.statistics.phase as Any), callers \(gateways[owner].callers), "
                    + "barriers \(frontends.map(\.barriers)), waiting: \(waiting.prefix(3))")
        }
    }

    /// Only the rightful owner stays; what failed is restarted.
    private func settleOwner() throws(Violation) {
        // Late requests may still change who owns the volume.
        let quiet = now + 2_000_000_000
        try runEvents { self.now < quiet && self.queue.nextTime != nil }
        if headWriter == nil {
            try wait("the volume is created") { self.headWriter != nil }
        }
        for gateway in gateways where gateway.index != headWriter && gateway.status != .retired {
            // A take-over that has not happened yet may win or lose; both are well.
            if gateway.disk.state == nil, gateway.status == .running {
                try wait("the take-over is decided") { gateway.disk.state != nil || gateway.status == .retired }
            }
        }
        for gateway in gateways where gateway.index != headWriter && gateway.status != .retired { retire(gateway) }
        try requireOwner()
        let gateway = gateways[owner]
        if gateway.oracle.isJournalFailed, gateway.volume != nil { crash(gateway, .process) }
    }

    func commitAndWait() throws(Violation) {
        let gateway = gateways[owner]
        let known = gateway.oracle.acknowledged
        commit(gateway)
        try drain(gateway)
        try wait("the last commit lands") { gateway.callers.isEmpty }
        guard gateway.oracle.position(at: gateway.committedSequence) >= known else {
            throw Violation(.progressAfterHealing, "the last commit covers less than was acknowledged")
        }
    }

    private func stopAndWait() throws(Violation) {
        let gateway = gateways[owner]
        guard let volume = gateway.volume else { return }
        let life = gateway.life
        let caller = nextCaller()
        gateway.callers[caller] = .stop(known: gateway.oracle.acknowledged)
        volume.stop(caller: caller, at: engineTime)
        try drain(gateway)
        try wait("the volume stops") { gateway.life != life }
        try checkBucket()
    }

    private func checkBucket() throws(Violation) {
        guard let object = store[BucketLayout.head(volume)], let writer = headWriter else { return }
        try checkBucketImage(try decode(object.bytes), gateways[writer])
        for root in retained { try checkRetained(root) }
        retained = []
    }

    /// Another machine takes the volume over and reads all of it.
    private func readBackElsewhere() throws(Violation) {
        retire(gateways[owner])
        try takeOver()
        for frontend in frontends.indices where !frontends[frontend].isAuditor { retire(frontend: frontend) }
        // A HEAD that the last owner has sent may come between: then it is the machine after the next.
        try wait("another machine takes over") {
            self.gateways[self.owner].volume?.statistics.phase == .serving
        }
        audit(gateways[owner], everything: true)
        try wait("another machine reads the image") { self.frontends.allSatisfy { $0.open.isEmpty } }
    }

    // MARK: Reading whole images through the engine

    /// Reads what was ever written, or some of it; the answers are judged like all others.
    func audit(_ gateway: SimulatedGateway, everything: Bool) {
        guard let auditor = frontends.firstIndex(where: { $0.isAuditor && $0.gateway == gateway.index }) else { return }
        var ranges = touchedRanges(gateway)
        if !everything {
            guard random.oneIn(3), !ranges.isEmpty else { return }
            ranges = (0..<8).map { _ in ranges[random.below(ranges.count)] }
        }
        for range in ranges { _ = issue(.read(range), zeros: true, expected: [], frontend: auditor) }
    }

    private func touchedRanges(_ gateway: SimulatedGateway) -> [SectorRange] {
        let longest = UInt32(settings.limits.commandByteCount / Geometry.sectorByteCount)
        var ranges: [SectorRange] = []
        gateway.oracle.history.forEachTouchedSector { sector in
            if let last = ranges.last, last.end == sector, last.count < longest {
                ranges[ranges.count - 1].count += 1
            } else {
                ranges.append(SectorRange(start: sector, count: 1))
            }
        }
        return ranges
    }
}
