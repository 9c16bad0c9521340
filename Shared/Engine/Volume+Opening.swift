// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// Where a volume stands before it serves (STORAGE §3 Ownership, §9).
struct OpeningState {
    enum Kind {
        case create
        case takeOver(EntityTag)
        /// The counter of the last run.
        case resume(start: UInt32)
    }
    let kind: Kind
    let startedAt: UInt64
    /// Commits that earlier runs sent and never saw landing: they may have, and still may, until a HEAD of this run
    /// replaces the one they were conditional on.
    var lateCommits: Set<CommitID> = []
    /// The number of such a HEAD that landed while this run prepared its own.
    var landedCommitNumber: UInt64 = 0
    /// HEAD in the bucket is known to be ours: commits may go out.
    var isHeadVerified = false
    /// An exclusive volume serves without the bucket's answer from here on.
    var deadline: UInt64?
    var token: EffectToken?
    var failures = 0
    /// Why it is not verified yet, for people.
    var delayReason: String?

    var isCreation: Bool {
        guard case .create = kind else { return false }
        return true
    }

    init(kind: Kind, startedAt: UInt64) {
        self.kind = kind
        self.startedAt = startedAt
    }
}

extension Volume {
    func beginOpening(_ recovered: RecoveredJournal, at time: EngineTime) {
        if recovered.recordCount > 0 {
            effects.append(
                .report(
                    .recovered(
                        records: recovered.recordCount, dirtyBytes: recovered.dirtyByteCount,
                        segments: recovered.segmentCount)))
        }
        if let torn = recovered.tornTail {
            effects.append(.report(.tornTail(segment: torn.segment, byteOffset: torn.byteOffset)))
        }
        for pack in map.missingDirectories { fetch(.directory(pack)) }
        switch opening.kind {
        case .create: publish(head, as: .opening, under: .absent, at: time)
        case .takeOver(let tag): publish(head, as: .opening, under: .matches(tag), at: time)
        case .resume(let lastStart):
            // Under a lease nothing is served before HEAD says that it still is ours.
            opening.deadline = lease == nil ? time.nanoseconds + limits.openTimeoutNanoseconds : .max
            pendingStart = mutants.contains(.reusePackName) ? lastStart : lastStart + 1
            saveState()
            readHead()
        }
    }

    /// HEAD of a new or taken volume is in the bucket: remember it here, then serve.
    func openingPublished(_ published: Head, _ tag: EntityTag, at time: EngineTime) {
        head.renewal = published.renewal
        headTag = tag
        opening.isHeadVerified = true
        opening.delayReason = nil
        pendingStart = 1
        saveState()
    }

    private func readHead() {
        let token = effects.nextToken()
        opening.token = token
        effects.append(.getObject(token, BucketLayout.head(head.volume)))
    }

    func object(_ token: EffectToken, _ result: Result<StoredObject, BucketFailure>, at time: EngineTime) {
        if case .failed = phase {
            fenceIfTakenOver(result)
        } else if token == publication?.token {
            headRead(result, at: time)
        } else if token == opening.token {
            opening.token = nil
            verifyHead(result, at: time)
        }
    }

    /// Reads go on after the journal failed, but not once another owner is seen.
    private func fenceIfTakenOver(_ result: Result<StoredObject, BucketFailure>) {
        guard case .success(let object) = result, let found = try? HeadFormat.decode(object.bytes),
            found.generation > head.generation || !isWrittenHere(found)
        else { return }
        fence(Self.reason(found, ours: head))
    }

    /// Is the HEAD in the bucket the one this machine left there?
    private func verifyHead(_ result: Result<StoredObject, BucketFailure>, at time: EngineTime) {
        switch result {
        case .success(let object):
            do throws(EngineError) {
                let found = try HeadFormat.decode(object.bytes)
                if !isWrittenHere(found) {
                    return fence(Self.reason(found, ours: head))
                } else if found.commit == head.commit {
                    headTag = object.tag
                } else if opening.lateCommits.remove(found.commit) != nil {
                    // No HEAD is sent beyond a cut whose own has not been kept (`mayReplaceHead`).
                    guard frozen.first.map({ $0.lastSequence >= found.journalSequence }) ?? true else {
                        return fence("HEAD is beyond a promised cut: the state directory is an old copy")
                    }
                    adopt(found, object.tag)
                } else {
                    return fence(Self.reason(found, ours: head))
                }
                opening.isHeadVerified = true
                opening.delayReason = nil
                saveState()
                serveIfReady(at: time)
            } catch {
                if error.disposition == .refuse { return fence("HEAD was written by a newer program: \(error)") }
                delayOpening("HEAD cannot be read: \(error)", at: time)
            }
        case .failure(.notFound): fence("HEAD has vanished from the bucket; it is never made anew")
        case .failure(let failure): delayOpening("the bucket does not answer: \(failure)", at: time)
        }
    }

    private func delayOpening(_ reason: String, at time: EngineTime) {
        opening.delayReason = reason
        opening.failures += 1
        later(.readHead, after: backoff(opening.failures), at: time)
    }

    /// A commit that was under way at a crash had been published. What it covers stays in the dirty layer too: it
    /// goes out once more, which costs a little and risks nothing.
    private func adopt(_ found: Head, _ tag: EntityTag) {
        head = found
        headTag = tag
        imageNumber += 1
        map = CommittedMap(
            root: found.root, volumeByteCount: found.byteCount, foldNumber: found.foldNumber, lineage: found.lineage,
            nodeCacheByteCount: limits.nodeCacheByteCount)
        for pack in map.missingDirectories { fetch(.directory(pack)) }
        saveState()
    }

    func expireOpening(at time: EngineTime) {
        guard let deadline = opening.deadline, deadline <= time.nanoseconds else { return }
        opening.deadline = nil
        serveIfReady(at: time)
    }

    /// Serves once the local state is durable and HEAD verified, or was waited for long enough.
    func serveIfReady(at time: EngineTime) {
        guard phase == .opening, start != nil, opening.isHeadVerified || opening.deadline == nil else { return }
        opening.deadline = nil
        phase = commitCallers.ending == nil ? .serving : .stopping
        activeSince = time.nanoseconds
        let waiting = waitingForOpen
        waitingForOpen = []
        for request in waiting {
            unsafe submit(request.request, payload: UnsafeRawBufferPointer(request.payload.bytes), at: time)
        }
        let queries = provisioningWaitingForOpen
        provisioningWaitingForOpen = []
        for query in queries { begin(query, at: time) }
    }

    // MARK: Local state

    /// Remembers head and start durably; one write at a time, the newest state last.
    func saveState() {
        guard stateSave == nil else {
            isStateStale = true
            return
        }
        isStateStale = false
        let token = effects.nextToken()
        stateSave = (token, head, cleanThrough, settledIntent)
        effects.append(
            .saveState(
                token,
                LocalState(
                    volume: head.volume, start: pendingStart, head: head, headTag: headTag, leaseRuns: leaseRuns)))
    }

    func stateSaved(_ token: EffectToken, _ result: Result<Void, SystemError>, at time: EngineTime) {
        guard let save = stateSave, save.token == token else { return }
        stateSave = nil
        if case .failure(let error) = result { return fail("the local state cannot be written: \(error)") }
        start = pendingStart
        journal.store.recyclableSequence = save.cleanThrough
        journal.store.settledIntentSequence = save.settledIntent
        takeEffect(save.head)
        if isStateStale { return saveState() }
        if let ending = commitCallers.ending, isEndPublished { return finishEnding(ending.caller) }
        serveIfReady(at: time)
    }

    func retry(_ action: RetryAction, at time: EngineTime) {
        guard isAlive else { return }
        switch action {
        case .prepareSegment: journal.store.retry()
        case .fetch(let item): fetch(item)
        case .warm(let frame): warmAgain(frame)
        case .pack(let build): retryPack(build)
        case .mapPack: retryMapPack(at: time)
        case .fold: retryFold(at: time)
        case .putHead: putHead()
        case .getHead: getHead()
        case .readHead: readHead()
        }
    }
}
