// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// How the engine's lives begin and end.
extension Simulation {
    // MARK: Ends

    /// The process dies, or the machine loses power. What was in flight may have happened, wholly or in part.
    func crash(_ gateway: SimulatedGateway, _ kind: Crash, restarts: Bool = true) {
        noteCrash(gateway, kind)
        noteCache(gateway)
        trace.note(10, now)
        trace.line(now, "g\(gateway.index) \(kind) crash")
        for number in gateway.operations.keys.sorted() {
            if let operation = gateway.operations[number] { interrupt(operation, gateway) }
        }
        interruptCache(gateway, kind)
        if kind == .power {
            let styles = SimulatedDisk.PowerCutStyle.allCases
            gateway.disk.losePower(styles[random.below(styles.count)], random: &random)
            gateway.lostPower = true
        }
        gateway.endLife()
        for frontend in frontends.indices where frontends[frontend].gateway == gateway.index {
            frontends[frontend].connection += 1
        }
        guard restarts else {
            gateway.status = .retired
            return
        }
        schedule(.start(gateway: gateway.index, life: gateway.life), after: spread(3_000_000))
    }

    private func interrupt(_ operation: SimulatedGateway.DiskOperation, _ gateway: SimulatedGateway) {
        switch operation {
        case .prepare(_, let segment, let reusing):
            if random.oneIn(2) { _ = gateway.disk.prepare(segment, reusing: reusing) }
        case .write(_, let segment, let byteOffset, let buffer, let byteCount, let record):
            let sectors = byteCount / 512
            let kept = [0, sectors, random.below(sectors + 1)][random.below(3)]
            guard kept > 0 else { return }
            let bytes = unsafe UnsafeRawBufferPointer(buffer.bytes(0..<kept * 512))
            let result = unsafe gateway.disk.write(segment, byteOffset: byteOffset, bytes)
            if case .success(let receipt) = result, kept == sectors, let record {
                gateway.oracle.didWrite(record, receipt)
            }
        case .sync(_, let segments, let point):
            guard random.oneIn(2) else { return }
            for segment in segments { _ = gateway.disk.sync(segment, through: point, random: &random) }
        case .read, .reserve: break
        case .save(_, let state):
            if random.oneIn(2) {
                gateway.disk.save(state)
                gateway.savedCommit = state.head.commit
            }
        }
    }

    /// It will not run again; its frontends go with it.
    func retire(_ gateway: SimulatedGateway) {
        if gateway.volume != nil { crash(gateway, .process, restarts: false) }
        gateway.life += 1
        gateway.status = .retired
        for frontend in frontends.indices where frontends[frontend].gateway == gateway.index {
            retire(frontend: frontend)
        }
    }

    // MARK: Beginnings

    func start(_ gateway: SimulatedGateway) throws(Violation) {
        guard gateway.status == .down else { return }
        guard let state = gateway.disk.state else { return try startWithoutState(gateway) }
        let box = RecoveryDisk(
            gateway.disk, random: random, stepsLeft: random.oneIn(12) && !isDraining ? random.below(4) : nil)
        _ = random.next()
        trace.line(
            now, "g\(gateway.index) recovers \(gateway.disk.segmentIDs.map(\.description).joined(separator: " "))")
        var records: [RecoveredRecord] = []
        let journal: RecoveredJournal
        do {
            journal = try RecoveredJournal.recover(
                volume: volume, committed: state.head.journalSequence, cuts: gateway.disk.cuts.values.map(\.point),
                segments: gateway.disk.segmentIDs, store: box, limits: settings.limits,
                observer: { records.append($0) })
        } catch {
            gateway.disk = box.disk
            guard box.hasDied else {
                throw Violation(.recoveredIsPrefix, "g\(gateway.index)'s journal cannot be recovered: \(error)")
            }
            rare.add(.crashDuringRecovery)
            trace.line(now, "g\(gateway.index) dies in recovery")
            if random.oneIn(2) {
                gateway.disk.losePower(.keepsSome, random: &random)
                gateway.lostPower = true
            }
            return schedule(.start(gateway: gateway.index, life: gateway.life), after: spread(1_000_000))
        }
        gateway.disk = box.disk
        gateway.sealed = Set(box.disk.segmentIDs)
        try judgeRecovery(gateway, journal, records, committed: state.head.journalSequence)
        gateway.lostPower = false
        if gateway.isRestoredCopy, let object = store[BucketLayout.head(volume)] {
            // The copy may have been made while this very commit was on its way.
            let head = try decode(object.bytes)
            let isIntended = journal.intents.contains { $0.intent.commit == head.commit }
            if isIntended, isOfKnownRun(head, state) { headWriter = gateway.index }
        }
        try open(gateway, .resume(state, journal))
        audit(gateway, everything: false)
    }

    private func judgeRecovery(
        _ gateway: SimulatedGateway, _ journal: RecoveredJournal, _ records: [RecoveredRecord],
        committed: JournalSequence
    ) throws(Violation) {
        let base = gateway.oracle.position(at: committed)
        var cut: Int?
        for entry in records.flatMap(\.entries) {
            guard let number = ledger.number(of: entry.origin) else {
                throw Violation(.recoveredIsPrefix, "recovery found a command that nobody sent: \(entry.origin)")
            }
            let position = gateway.oracle.position(of: number)
            guard position > 0, cut.map({ position == $0 + 1 }) ?? (position <= base + 1) else {
                throw Violation(
                    .recoveredIsPrefix,
                    "#\(number) stands at \(position) and was recovered after \(cut ?? base)")
            }
            cut = position
        }
        let end = max(cut ?? base, base)
        let range = gateway.oracle.recoverableRange(afterPowerCut: gateway.lostPower, disk: gateway.disk)
        trace.note(11, UInt64(end), now)
        trace.line(now, "g\(gateway.index) recovered up to \(end); allowed are \(range)")
        guard end <= range.upperBound else {
            throw Violation(.recoveredIsPrefix, "recovered \(end) of \(range.upperBound)")
        }
        guard end >= range.lowerBound else {
            throw Violation(
                gateway.lostPower || gateway.oracle.isCacheLossy ? .recoveryKeepsFlushed : .recoveryKeepsAcknowledged,
                "g\(gateway.index) recovered up to \(end), but \(range.lowerBound) had to survive")
        }
        noteRecovery(gateway, journal, end)
        gateway.oracle.restart(at: end, sequence: max(journal.lastSequence, committed))
        for frontend in frontends where frontend.gateway == gateway.index {
            for number in frontend.open {
                ledger[number].knownPosition = min(ledger[number].knownPosition, end)
                if gateway.oracle.position(of: number) > 0 { rare.add(.duplicateAfterRestart) }
            }
        }
    }

    private func startWithoutState(_ gateway: SimulatedGateway) throws(Violation) {
        gateway.lostPower = false
        guard let object = store[BucketLayout.head(volume)] else {
            return try open(gateway, .create(newHead(gateway)))
        }
        // As taken over by whoever has no local state: what the bucket holds is all there is.
        let head = try decode(object.bytes)
        guard let writer = headWriter else { preconditionFailure("a HEAD that nobody wrote") }
        // Under a lease it would have to wait again.
        if settings.leaseMilliseconds != nil, !gateway.mayTakeOver, gateways[writer].status != .retired {
            retire(gateway)
            return try requireOwner()
        }
        gateway.mayTakeOver = false
        gateway.oracle = gateways[writer].oracle
        gateway.oracle.restart(at: gateway.oracle.position(at: head.journalSequence), sequence: head.journalSequence)
        gateway.committedSequence = head.journalSequence
        try open(gateway, .takeOver(head, object.tag, by: gateway.id))
    }

    private func newHead(_ gateway: SimulatedGateway) -> Head {
        Head(
            volume: volume, name: "simulated", targetName: "iqn.2026-01.test:simulated",
            byteCount: settings.volumeByteCount,
            ownership: settings.leaseMilliseconds == nil ? .exclusive : .lease,
            leaseMilliseconds: settings.leaseMilliseconds, createdMilliseconds: engineTime.wallMilliseconds,
            durability: settings.durability, compressionLevel: settings.compressionLevel,
            commitIntervalSeconds: settings.commitIntervalSeconds,
            uploadBufferByteCount: settings.limits.bufferByteCount, lineage: 1, owner: gateway.id,
            commit: CommitID(high: random.next(), low: random.next()), cutMilliseconds: engineTime.wallMilliseconds)
    }

    private func open(_ gateway: SimulatedGateway, _ opening: VolumeOpening) throws(Violation) {
        gateway.knowsSuccessor = false
        gateway.status = .running
        openCache(gateway)
        gateway.volume = Volume(
            opening, limits: settings.limits, seed: random.next(), at: engineTime, mutants: options.mutants)
        trace.line(now, "g\(gateway.index) starts")
        try judgeSettings(gateway)
        if case .resume = opening { try resumeCuts(gateway) }
        for frontend in frontends.indices
        where frontends[frontend].gateway == gateway.index && frontends[frontend].isAlive {
            resendAll(frontend: frontend)
        }
        try drain(gateway)
    }

    // MARK: Owners

    /// A machine that has nothing of the volume takes it over from the bucket.
    func takeOver() throws(Violation) {
        guard store[BucketLayout.head(volume)] != nil else { return }
        let gateway = addGateway(SimulatedDisk(segmentByteCount: settings.limits.segmentByteCount))
        owner = gateway.index
        gateway.mayTakeOver = true
        try start(gateway)
        for _ in 0..<settings.frontendCount { addFrontend(gateway: gateway.index) }
    }

    /// Under a lease HEAD also tells which run wrote it, which a copy from before that run cannot know.
    private func isOfKnownRun(_ head: Head, _ state: LocalState) -> Bool {
        guard settings.leaseMilliseconds != nil, let renewal = head.renewal else { return true }
        return renewal == state.head.renewal || state.leaseRuns?.contains(renewal.run) == true
    }

    func addGateway(_ disk: SimulatedDisk) -> SimulatedGateway {
        let gateway = SimulatedGateway(
            index: gateways.count, id: GatewayID(rawValue: random.next()), disk: disk,
            oracle: GatewayOracle(sectorCount: settings.volumeByteCount / 512),
            cache: ReadCache(limits: settings.cacheLimits),
            packs: PackReservations(limit: settings.packReservationCount))
        gateways.append(gateway)
        addFrontend(gateway: gateway.index, isAuditor: true)
        return gateway
    }

    /// The machine comes back from an image of the past: an old disk that does not know it is old.
    func restoreBackup() throws(Violation) {
        guard let backup, let object = store[BucketLayout.head(volume)] else { return }
        self.backup = nil
        let original = gateways[backup.gateway]
        guard original.status != .retired, headWriter == original.index else { return }
        retire(original)
        // The whole machine is an old image, its uploaders too: nothing of the original arrives any more.
        for number in requests.keys.sorted() where requests[number]?.gateway == original.index {
            if case .putHead = requests[number]?.work, requests[number]?.isApplied == false { requests[number] = nil }
        }
        let gateway = addGateway(backup.disk)
        gateway.oracle = backup.oracle
        gateway.cacheDisk = backup.cacheDisk
        gateway.isRestoredCopy = true
        // What was changed after the copy was made it cannot know.
        gateway.byteCount = 0
        gateway.lostPower = backup.lostPower
        gateway.committedSequence = backup.committedSequence
        gateway.savedCommit = backup.disk.state?.head.commit
        owner = gateway.index
        // With no commit since the copy was made nothing tells the copy from the original.
        let head = try decode(object.bytes)
        let isKnown = backup.disk.state.map { isOfKnownRun(head, $0) } ?? true
        if head.commit == backup.headCommit, isKnown { headWriter = gateway.index }
        trace.line(now, "g\(gateway.index) is a copy of g\(original.index)")
        if random.oneIn(4) {
            // It cannot learn that it is old, and serves.
            rare.add(.outage)
            faults.beginOutage(until: now + UInt64(spread(400_000_000)))
        }
        for _ in 0..<settings.frontendCount { addFrontend(gateway: gateway.index) }
        try start(gateway)
    }

    func makeBackup() throws(Violation) {
        let gateway = gateways[owner]
        guard gateway.volume != nil, gateway.disk.state != nil, let object = store[BucketLayout.head(volume)] else {
            return
        }
        backup = DiskBackup(
            gateway: gateway.index, disk: gateway.disk, cacheDisk: gateway.cacheDisk, oracle: gateway.oracle,
            lostPower: gateway.lostPower,
            committedSequence: gateway.committedSequence, headCommit: try decode(object.bytes).commit)
    }
}

/// A copy of a machine's disk, with what the oracle expects of it.
struct DiskBackup {
    var gateway: Int
    var disk: SimulatedDisk
    var cacheDisk: SimulatedCacheDisk
    var oracle: GatewayOracle
    var lostPower: Bool
    var committedSequence: JournalSequence
    /// What HEAD was.
    var headCommit: CommitID
}
