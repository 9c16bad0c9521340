// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// What the oracle says to each HEAD that is sent, stored or shown.
extension Simulation {
    /// The engine sends a HEAD: everything that STORAGE §3 wants before must have happened.
    func willPutHead(
        _ head: Head, _ precondition: WritePrecondition, _ gateway: SimulatedGateway
    ) throws(Violation) {
        guard precondition != .none else {
            throw Violation(.effectsAreWellFormed, "HEAD is written without a precondition")
        }
        gateway.putsPack = false
        try requirePacks(of: head)
        try gateway.oracle.willPublishHead(head, disk: gateway.disk)
        // Creating and taking over need no intent: nothing is served before they are known to have landed.
        let current = try store[BucketLayout.head(volume)].map { object throws(Violation) in try decode(object.bytes) }
        let isOwnSuccessor =
            gateway.disk.state.map { $0.head.generation == head.generation && $0.headTag != nil } ?? false
        guard isOwnSuccessor, precondition != .absent, let current, current.generation >= head.generation else {
            return
        }
        // A renewal of the lease: the same commit once more.
        if head.commit == gateway.volume?.head.commit { return }
        guard gateway.oracle.hasDurableIntent(head.commit) else {
            throw Violation(
                .headIsBehindDurableJournal, "the intent for HEAD \(head.commitNumber) would not survive a power cut")
        }
    }

    private func requirePacks(of head: Head) throws(Violation) {
        var keys = head.root.packs.map { BucketLayout.dataPack($0.owner, $0.name) }
        for node in [head.root.tree, head.root.packTable].compactMap({ $0 }) {
            keys.append(BucketLayout.mapPack(node.owner, node.pack))
        }
        for key in keys where store[key] == nil {
            throw Violation(.headNamesOnlyPresentPacks, "HEAD \(head.commitNumber) names \(key), which is not there")
        }
    }

    /// The store took a HEAD.
    func didPutHead(_ head: Head, replacing old: StoredObject?, _ request: StoreRequest) throws(Violation) {
        let gateway = gateways[request.gateway]
        if let old {
            let before = try decode(old.bytes)
            if head.commit == before.commit, head.renewal != before.renewal, headWriter == request.gateway {
                return rare.add(.leaseRenewed)
            }
            let isForward =
                head.generation > before.generation
                || (head.generation == before.generation && head.commitNumber > before.commitNumber
                    && headWriter == request.gateway)
            guard isForward else {
                throw Violation(
                    .staleOwnerIsFenced,
                    "HEAD \(before.commitNumber) of generation \(before.generation.rawValue) was replaced by "
                        + "\(head.commitNumber) of \(head.generation.rawValue)")
            }
            guard head.byteCount >= before.byteCount else {
                throw Violation(
                    .settingsAreKept, "HEAD \(head.commitNumber) shrinks \(before.byteCount) to \(head.byteCount)")
            }
            if head.generation > before.generation { rare.add(.takeover) }
            if head.foldNumber > before.foldNumber {
                rare.add(.fold)
                if faults.isOut(at: now) { rare.add(.foldDuringOutage) }
            }
        }
        try requirePacks(of: head)
        commitCount += 1
        headWriter = request.gateway
        headGeneration = head.generation
        noteFreeze(head, gateway)
        if head.cleanShutdown, settings.leaseMilliseconds != nil, random.oneIn(2) {
            schedule(.action(gateway: gateway.index, life: -1, .takeIfHandedOver), after: spread(6_000_000))
        }
        if random.oneIn(20) {
            try checkBucketImage(head, gateway)
            if retained.count < 4 || random.oneIn(4) { retain(head, gateway) }
        }
    }

    private func retain(_ head: Head, _ gateway: SimulatedGateway) {
        if retained.count >= 4 { retained.remove(at: random.below(retained.count)) }
        let position = gateway.oracle.position(at: head.journalSequence)
        retained.append(RetainedHead(head: head, gateway: gateway.index, position: position))
    }

    /// The engine hears that its HEAD landed.
    func didLearnCommit(_ head: Head, _ gateway: SimulatedGateway) {
        gateway.committedSequence = max(gateway.committedSequence, head.journalSequence)
        if head.foldNumber > gateway.foldNumber {
            gateway.foldNumber = head.foldNumber
            // Beside the packs that are still listed, which are of later commits, everything is in the tree.
            gateway.foldedSequence = head.root.packs.isEmpty ? head.journalSequence : gateway.foldedSequence
        }
    }

    /// The engine is shown the bucket's HEAD: from now on it knows whether it still is the owner.
    func didShowHead(_ object: StoredObject, _ gateway: SimulatedGateway) throws(Violation) {
        let head = try decode(object.bytes)
        guard headWriter == gateway.index else {
            // A take-over reads the HEAD of the owner before it, and a creation may find nothing of its own.
            guard let state = gateway.disk.state, state.headTag != nil else { return }
            let isNewer =
                head.generation > state.head.generation
                || (head.generation == state.head.generation && head.commitNumber > state.head.commitNumber)
            // What the machine sent before it was copied is its own past, not its successor.
            if isNewer, !gateway.oracle.hasDurableIntent(head.commit) {
                gateway.knowsSuccessor = true
                trace.line(now, "g\(gateway.index) is shown its successor")
            }
            return
        }
        if head.journalSequence > gateway.committedSequence { didLearnCommit(head, gateway) }
    }

    /// A taker that finds an attempt of its last run waits again: that may be a copy of it, and serve.
    func isWaitingTaker(_ gateway: SimulatedGateway) -> Bool {
        settings.leaseMilliseconds != nil && gateway.disk.state == nil
    }

    func reported(_ report: EngineReport, by gateway: SimulatedGateway) throws(Violation) {
        trace.line(now, "g\(gateway.index) reports \(report)")
        switch report {
        case .fenced(let reason):
            guard headWriter != gateway.index || isWaitingTaker(gateway) else {
                throw Violation(
                    .ownerIsNotFencedByItself, "g\(gateway.index) owns the volume and was fenced: \(reason)")
            }
            if gateway.isRestoredCopy { rare.add(.oldStateRefused) } else { rare.add(.staleOwnerFenced) }
            schedule(.action(gateway: gateway.index, life: gateway.life, .retire), after: spread(30_000_000))
        case .journalFailed:
            // Somebody notices and starts it again.
            schedule(
                .action(gateway: gateway.index, life: gateway.life, .crash(random.oneIn(3) ? .power : .process)),
                after: spread(20_000_000))
        case .badBlock: rare.add(.bitRotFound)
        case .leaseLapsed: rare.add(.leaseLapsed)
        case .dirtyBlockLost:
            // Nothing heals it: somebody goes back to the last recovery point, on another machine.
            rare.add(.dirtyBlockLost)
            schedule(
                .action(gateway: gateway.index, life: -1, .retire), after: spread(100_000_000))
        case .bufferFull: rare.add(.bufferFullHeld)
        default: break
        }
    }
}
