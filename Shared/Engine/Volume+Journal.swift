// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// Answers from the journal's disk: publishing, durability, failure.
extension Volume {
    func segmentPrepared(_ token: EffectToken, _ result: Result<Void, SystemError>, at time: EngineTime) {
        guard journal.store.didPrepare(token, result) else { return }
        if case .failure(let error) = result {
            // No room is no failure: nothing is lost, writes wait.
            effects.append(.report(.journalSpaceMissing("\(error)")))
            later(.prepareSegment, after: limits.retryNanoseconds, at: time)
        }
    }

    func diskWrite(_ token: EffectToken, _ result: Result<Void, SystemError>, at time: EngineTime) {
        if let published = journal.didWrite(token, result) {
            for written in published { publish(written, at: time) }
            // Only now: the journal counts all of them as published before the first was applied.
            passBarriers()
            for item in published.lazy.flatMap(\.record.items) { unlock(item.origin, at: time) }
            startModifications(at: time)
        } else if journal.didSync(token, result, &effects) {
            answerDurable()
        } else {
            stateSaved(token, result, at: time)
        }
    }

    /// Records come here in sequence order: what they change becomes visible, then their commands are answered.
    private func publish(_ written: Journal.Written, at time: EngineTime) {
        let record = written.record
        switch record.kind {
        case .checkpoint: return
        case .commitIntent: return intentPublished(written.sequence)
        case .data: break
        }
        if active.isEmpty { activeSince = time.nanoseconds }
        active.include(written.sequence, wallMilliseconds: written.wallMilliseconds)
        for item in record.items { apply(item, of: written) }
        journal.recycle(record.buffer)
        for item in record.items {
            guard inProgress.contains(item.origin) else { continue }
            if item.forceUnitAccess || settings.durability == "always" {
                journal.wantSync(through: written.sequence)
                durabilityWaiters.append((written.sequence, item.origin))
            } else {
                finish(item.origin, .good)
            }
        }
    }

    private func apply(_ item: OpenRecord.Item, of written: Journal.Written) {
        let buffer = written.record.buffer
        let byteOffset = written.byteOffset + item.dataOffset
        for range in item.ranges {
            switch item.operation {
            case .write:
                active.applyWrite(
                    range, segment: written.segment, byteOffset: byteOffset,
                    checksum: { buffer.load(UInt32.self, at: item.checksumOffset + $0 * 4) },
                    isZero: { buffer.isZero(item.dataOffset + $0..<item.dataOffset + $0 + Geometry.blockByteCount) })
            case .fill:
                active.applyFill(
                    range, segment: written.segment, byteOffset: byteOffset,
                    blockChecksum: buffer.load(at: item.checksumOffset),
                    sectorChecksum: buffer.load(at: item.checksumOffset + 4))
            case .zero: active.applyZero(range)
            }
        }
    }

    private func passBarriers() {
        guard !barriers.isEmpty else { return }
        for barrier in barriers where barrier.ordinal <= journal.publishedOrdinal {
            effects.append(.barrierPassed(barrier.caller))
        }
        barriers.removeAll { $0.ordinal <= journal.publishedOrdinal }
    }

    private func answerDurable() {
        while let first = durabilityWaiters.first, first.sequence <= journal.syncedSequence {
            durabilityWaiters.removeFirst()
            finish(first.origin, .good)
        }
        answerDurableCuts()
        announceSettings()
        // Whoever came while the sync ran waits for the next one.
        if let last = durabilityWaiters.last { journal.wantSync(through: last.sequence) }
    }

    // MARK: The end

    /// The journal's disk failed: what is durable is unknown, so nothing is acknowledged any more (STORAGE §4). Reads
    /// go on. A restart reads what the disk really holds.
    func fail(_ reason: String) {
        guard isAlive else { return }
        phase = .failed(reason)
        effects.append(.report(.journalFailed(reason)))
        dropAll(.writeError)
        commitCallers.failAll(.journalFailed(reason), &effects)
        failAmendments(.journalFailed(reason))
        commit = nil
        foldRun = nil
        publication = nil
    }

    /// Another owner, or a state that is not ours to continue: refuse everything, touch nothing.
    func fence(_ reason: String) {
        switch phase {
        case .opening, .serving, .stopping, .failed: break
        case .stopped, .fenced: return
        }
        phase = .fenced(reason)
        effects.append(.report(.fenced(reason)))
        dropAll(.fenced)
        commitCallers.failAll(.fenced(reason), &effects)
        failAmendments(.fenced(reason))
        commit = nil
        foldRun = nil
        publication = nil
    }

    private func dropAll(_ answer: VolumeReply) {
        releasePacks()
        dropLease(answering: answer)
        for waiting in waitingForOpen { reply(waiting.request.origin, answer) }
        waitingForOpen = []
        if case .fenced = phase { dropProvisioning(.fenced) } else { dropProvisioning(.busy) }
        // Flushes wait for durability without being in progress in the request table's sense.
        for waiter in durabilityWaiters where !inProgress.contains(waiter.origin) { reply(waiter.origin, answer) }
        durabilityWaiters = []
        for origin in inProgress.sorted(by: { ($0.frontend, $0.number) < ($1.frontend, $1.number) }) {
            reply(origin, answer)
        }
        inProgress = []
        held = []
        blocked = []
        modifications = [:]
        for barrier in barriers { effects.append(.barrierPassed(barrier.caller)) }
        barriers = []
    }
}
