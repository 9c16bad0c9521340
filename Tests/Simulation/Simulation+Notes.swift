// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// Counting rare events: what a run has really met (STORAGE §10).
extension Simulation {
    func noteArrival(_ number: Int, _ command: SimulatedCommand, at gateway: SimulatedGateway) {
        let position = gateway.oracle.position(of: number)
        if position > 0, position <= gateway.oracle.published { rare.add(.duplicateFromTable) }
        switch command.command {
        case .compareAndWrite(let range):
            let pending = gateway.oracle.entries[gateway.oracle.published...]
            let waits = pending.contains { entry in
                ledger[entry.command].ranges.contains { $0.overlaps(range) }
            }
            if waits { rare.add(.compareAndWriteWaited) }
        case .unmap(let ranges):
            if ranges[0].count > 8192 { rare.add(.hugeUnmap) }
            let committed = gateway.oracle.position(at: gateway.committedSequence)
            if gateway.oracle.history.version(of: ranges[0].start, at: committed).stamp != 0 {
                rare.add(.unmapOfCommitted)
            }
        default: break
        }
    }

    func noteWaits(_ body: JournalRecordBody, _ gateway: SimulatedGateway) {
        if body.header.kind == .commitIntent, faults.isOut(at: now) { rare.add(.commitDuringOutage) }
    }

    func noteFaults(_ plan: StorePlan, _ work: StoreRequest.Work) {
        switch plan.answer {
        case .unavailable("503 slow down"): rare.add(.throttled)
        case .ambiguous("uploader lost"): rare.add(.uploaderLost)
        case .conflict: if case .putHead = work { rare.add(.headConflict409) }
        case .corrupt: rare.add(.shortBody)
        default: break
        }
        if plan.flipsBody { rare.add(.flippedBody) }
        if case .putPack = work, plan.answer != nil { rare.add(.packRetried) }
        if case .putHead = work, case .ambiguous = plan.answer, plan.appliesAt == nil {
            rare.add(.headReplyLostNotLanded)
        }
    }

    /// The store has decided about a HEAD.
    func noteHead(_ result: Result<EntityTag, BucketFailure>, _ request: StoreRequest, _ head: Head) {
        let isLate = request.isAnswered
        switch result {
        case .success:
            if isLate { rare.add(.lateHeadLanded) }
            if !isLate, case .ambiguous = request.plan.answer { rare.add(.headReplyLostLanded) }
        case .failure(.preconditionFailed):
            rare.add(isLate ? .lateHeadRefused : .headRefused412)
            if gateways[request.gateway].disk.state == nil { rare.add(.takeoverRaced) }
        case .failure: break
        }
    }

    /// What a commit took with it.
    func noteFreeze(_ head: Head, _ gateway: SimulatedGateway) {
        let first = gateway.oracle.position(at: gateway.committedSequence)
        let last = gateway.oracle.position(at: head.journalSequence)
        guard first < last else { return }
        let hasPartial = gateway.oracle.entries[first..<last].contains { entry in
            ledger[entry.command].ranges.contains { $0.start % 8 != 0 || $0.end % 8 != 0 }
        }
        if hasPartial { rare.add(.freezeWithPartialBlocks) }
    }

    /// Where the newest version of the first sector lies, as far as the oracle knows.
    func noteRead(_ range: SectorRange, _ gateway: SimulatedGateway) {
        let oracle = gateway.oracle
        let version = oracle.history.version(of: range.start, at: oracle.published)
        guard version.position > 0 else { return rare.add(.readNeverWritten) }
        let isCommitting = gateway.frozenSequence > gateway.committedSequence
        if isCommitting { rare.add(.readDuringCommit) }
        if isCommitting, version.position > oracle.position(at: gateway.frozenSequence) {
            rare.add(.readActive)
        } else if version.position > oracle.position(at: gateway.committedSequence) {
            rare.add(isCommitting ? .readFrozen : .readActive)
        } else if version.position > oracle.position(at: gateway.foldedSequence) {
            rare.add(.readUnfolded)
        } else {
            rare.add(.readTree)
        }
    }

    func noteCrash(_ gateway: SimulatedGateway, _ kind: Crash) {
        rare.add(kind == .power ? .powerCut : .processCrash)
        if !gateway.sealing.isEmpty { rare.add(.crashDuringSeal) }
        for operation in gateway.operations.values {
            switch operation {
            case .write(_, _, _, _, _, .some): rare.add(.crashWithWriteInFlight)
            case .sync: rare.add(.crashWithSyncInFlight)
            default: break
            }
        }
        if gateway.putsPack { rare.add(.crashBetweenPackAndHead) }
        if headWriter == gateway.index, let object = store[BucketLayout.head(volume)],
            let head = try? HeadFormat.decode(object.bytes), head.commit != gateway.savedCommit
        {
            rare.add(.crashBetweenHeadAndState)
        }
    }

    func noteRecovery(_ gateway: SimulatedGateway, _ journal: RecoveredJournal, _ end: Int) {
        let oracle = gateway.oracle
        if journal.tornTail != nil { rare.add(.tornTail) }
        if gateway.lostPower, end < oracle.last {
            rare.add(end <= max(oracle.promised, oracle.durable) ? .tailEndsAtSync : .tailLongerThanSync)
        }
        guard let intent = journal.intents.last?.intent, let object = store[BucketLayout.head(volume)],
            let head = try? HeadFormat.decode(object.bytes),
            head.commit != gateway.savedCommit || intent.commit != head.commit
        else { return }
        rare.add(intent.commit == head.commit ? .intentFoundCommitted : .intentFoundNotCommitted)
    }
}
