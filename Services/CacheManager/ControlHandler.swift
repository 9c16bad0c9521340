// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Wire

/// Does what people and other services ask of the volumes. Owned by the shard's thread; answers come through the
/// closure given with each request, once, at the latest when the caller's patience ends.
package final class ControlHandler {
    package typealias Answer<Reply> = (Result<Reply, BusFault>) -> Void

    /// A request that is being worked on.
    private struct OpenCall {
        var deadline: UInt64
        var expire: () -> Void
    }

    let shard: Shard
    let admission: VolumeAdmission
    private var openCalls: [UInt64: OpenCall] = [:]
    private var nextCall: UInt64 = 1
    /// Names that a running create or attach will give to a volume.
    var reservedNames: Set<String> = []
    /// Volumes of other gateways that somebody here waits for.
    var takers: [VolumeID: LeaseTaker] = [:]
    /// Volumes that stand still for a cut over several cache managers, and since when.
    struct Hold {
        var volumes: [VolumeID]
        var start: UInt64
    }
    var holds: [UInt64: Hold] = [:]
    private var retries: [(due: UInt64, work: () -> Void)] = []
    package var isStopping = false
    var isChangingCache = false
    /// Where directories and size of the read cache are kept that were set while running.
    let cacheSettingsPath: String
    /// What the gateway uses for other things than the read cache.
    let reservedDirectories: [String]
    let standbyFiles: StandbyFiles
    let claims: NameClaims

    package init(
        shard: Shard, admission: VolumeAdmission, cacheSettingsPath: String, reservedDirectories: [String],
        standbyFiles: StandbyFiles, claims: NameClaims = .alone
    ) {
        self.claims = claims
        self.shard = shard
        self.admission = admission
        self.cacheSettingsPath = cacheSettingsPath
        self.reservedDirectories = reservedDirectories
        self.standbyFiles = standbyFiles
    }

    package var openCallCount: Int { openCalls.count }
    package var holdCount: Int { holds.count }

    // MARK: Looking

    package func list() -> VolumeListRequest.Reply {
        VolumeListRequest.Reply(
            volumes: (shard.sortedVolumes.map(describe) + standbys).sorted { ($0.name, $0.id) < ($1.name, $1.id) })
    }

    func describe(_ hosted: HostedVolume) -> VolumeDescription {
        hosted.description(at: shard.now.wallMilliseconds, bucketProblem: shard.bucketProblem)
    }

    /// By id or by name.
    func volume(_ reference: VolumeReference) throws(BusFault) -> HostedVolume {
        let found = VolumeID(reference.text).flatMap { shard.volumes[$0] } ?? shard.volume(named: reference.text)
        guard let found else {
            if let taker = taker(reference), taker.standby != nil, let head = taker.head {
                throw BusFault(
                    .ownedElsewhere,
                    "volume \(head.name) is only on standby here: gateway \(head.owner) owns it; "
                        + "`sluice volume attach \(head.name) --standby --cancel` ends the standby")
            }
            throw BusFault(
                .unknownVolume,
                "this gateway has no volume \"\(reference.text)\"; `sluice volume list` shows those it has, "
                    + "`sluice volume discover` those in the bucket")
        }
        return found
    }

    // MARK: Committing

    package func sync(
        _ request: VolumeSyncRequest, within timeout: Duration, answer: @escaping Answer<VolumeDescription>
    ) {
        commit(request.volume, within: timeout, answer: answer) { hosted, _ in self.describe(hosted) }
    }

    private func commit<Reply>(
        _ reference: VolumeReference, within timeout: Duration, answer: @escaping Answer<Reply>,
        reply: @escaping (HostedVolume, Head) throws(BusFault) -> Reply
    ) {
        attempt(answer) { () throws(BusFault) in
            let hosted = try volume(reference)
            let finish = call(within: timeout, answer) {
                "volume \(hosted.name) is not committed yet: \(self.whyWaiting(hosted)); its data stays in the journal "
                    + "and is uploaded as soon as possible"
            }
            shard.run(.commit, on: hosted) { result in
                switch result {
                case .success(let head): finish(Result { () throws(BusFault) in try reply(hosted, head) })
                case .failure(let failure): finish(.failure(self.fault(failure, hosted)))
                }
            }
        }
    }

    // MARK: Deleting

    package func delete(
        _ request: VolumeDeleteRequest, within timeout: Duration, answer: @escaping Answer<VolumeDeleteRequest.Reply>
    ) {
        attempt(answer) { () throws(BusFault) in
            let hosted = try volume(request.volume)
            guard hosted.errand == .none else {
                throw BusFault(.inUse, "volume \(hosted.name) is being created or deleted already; try again later")
            }
            let promised = shard.snapshots.undecided(of: hosted.id)
            guard promised.isEmpty || request.losesSnapshots ?? false else {
                let ids = promised.map(\.description).joined(separator: ", ")
                throw BusFault(
                    .inUse,
                    "snapshots of volume \(hosted.name) are not in the bucket yet and would be lost with it: \(ids). "
                        + "Wait until `sluice snapshot list` shows none of them as pending, "
                        + "or give --lose-pending-snapshots")
            }
            hosted.errand = .deleting
            let finish = call(within: timeout, answer) {
                "volume \(hosted.name) is not marked as deleted in the bucket yet: \(self.whyWaiting(hosted)); "
                    + "it is removed as soon as the bucket answers"
            }
            shard.run(.delete, on: hosted) { result in
                switch result {
                case .success: self.remove(hosted, finish)
                case .failure(.fenced): self.removeIfDeletedInBucket(hosted, finish)
                case .failure(let failure):
                    hosted.errand = .none
                    finish(.failure(self.fault(failure, hosted)))
                }
            }
        }
    }

    private func remove(_ hosted: HostedVolume, _ finish: @escaping Answer<VolumeDeleteRequest.Reply>) {
        shard.remove(hosted) { removed in
            finish(
                removed.map { VolumeDeleteRequest.Reply(id: hosted.id) }.mapError { error in
                    BusFault(
                        .internalError,
                        "volume \(hosted.name) is deleted, but its local files could not be removed: \(error); "
                            + "they are removed at the next start")
                })
        }
    }

    /// A delete that was cut short after its tombstone was written leaves a fenced volume: its rest may go. The journal
    /// of a volume that somebody else took over may not.
    private func removeIfDeletedInBucket(
        _ hosted: HostedVolume, _ finish: @escaping Answer<VolumeDeleteRequest.Reply>
    ) {
        shard.callBucket(.getObject(key: BucketLayout.head(hosted.id))) { object in
            if case .success = object.outcome, let head = try? HeadFormat.decode(object.payload),
                head.volume == hosted.id, head.state == .deleted
            {
                return self.remove(hosted, finish)
            }
            hosted.errand = .none
            finish(.failure(self.fault(.fenced(self.whyWaiting(hosted)), hosted)))
        }
    }

    // MARK: Stopping

    /// Commits what every volume still has and marks it cleanly shut down. `finish` is called once, when all are done
    /// or the time is up; what is not in the bucket then stays in the journal.
    package func stop(within timeout: Duration = .seconds(20), then finish: @escaping () -> Void) {
        isStopping = true
        let answer: Answer<Void> = { _ in finish() }
        let end = call(within: timeout, answer) { "volumes are still uploading" }
        let running = shard.volumes.values.filter { $0.engine != nil }
        guard !running.isEmpty else { return end(.success(())) }
        var missing = running.count
        for hosted in running {
            shard.run(.stop, on: hosted) { _ in
                missing -= 1
                if missing == 0 { end(.success(())) }
            }
        }
    }

    // MARK: Faults

    func fault(_ failure: VolumeFailure, _ hosted: HostedVolume) -> BusFault {
        switch failure {
        case .fenced(let reason):
            BusFault(
                .fenced,
                "volume \(hosted.name) does not belong to this gateway any more: \(reason); its journal is kept in "
                    + "\(shard.journals.directories.map { "\($0)/\(hosted.id)" }.joined(separator: ", ")); "
                    + (hosted.standbyHint.map { $0 + "; " } ?? "")
                    + "`sluice volume attach \(hosted.name) --force` takes it back, without what only that journal has")
        case .journalFailed(let reason):
            BusFault(
                .journalFailed,
                "volume \(hosted.name) stopped because of its journal: \(reason); check the disk, "
                    + "then restart the cache manager")
        case .bucketUnavailable(let reason):
            BusFault(.bucketUnavailable, "the bucket does not take changes of volume \(hosted.name): \(reason)")
        case .stopped: BusFault(.notReady, "volume \(hosted.name) is stopping; ask again after the restart")
        case .invalidChange(let reason): BusFault(.invalidArgument, "volume \(hosted.name) stays as it is: \(reason)")
        }
    }

    func whyWaiting(_ hosted: HostedVolume) -> String {
        let (_, reason) = hosted.status(bucketProblem: shard.bucketProblem)
        return reason.isEmpty ? "the upload is still running" : reason
    }

    // MARK: Calls that take time

    /// Answers with what `work` throws.
    func attempt<Reply>(_ answer: Answer<Reply>, _ work: () throws(BusFault) -> Void) {
        do throws(BusFault) {
            if isStopping { throw BusFault(.notReady, "the cache manager is stopping; ask again after its restart") }
            try work()
        } catch {
            answer(.failure(error))
        }
    }

    /// The closure to finish the call with, which counts once. When time is up the caller gets `deadlineExceeded` with
    /// the reason of that moment; the work itself goes on.
    func call<Reply>(
        within timeout: Duration, _ answer: @escaping Answer<Reply>, waitingFor reason: @escaping () -> String
    ) -> Answer<Reply> {
        let number = nextCall
        nextCall += 1
        openCalls[number] = OpenCall(deadline: deadline(after: timeout)) {
            answer(.failure(BusFault(.deadlineExceeded, reason())))
        }
        return { [weak self] result in
            guard let self, self.openCalls.removeValue(forKey: number) != nil else { return }
            answer(result)
        }
    }

    func deadline(after timeout: Duration) -> UInt64 {
        let (seconds, attoseconds) = timeout.components
        let nanoseconds = UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000)
        return shard.now.nanoseconds + nanoseconds
    }

    package func advance() {
        let now = shard.now.nanoseconds
        // Before the calls expire: who has not begun knows better why than the clock does.
        let due = retries.filter { $0.due <= now }
        retries.removeAll { $0.due <= now }
        for retry in due { retry.work() }
        for (number, call) in openCalls where call.deadline <= now {
            openCalls[number] = nil
            call.expire()
        }
    }

    /// Does it again after a while, on the shard's thread.
    func later(_ nanoseconds: UInt64, _ work: @escaping () -> Void) {
        retries.append((shard.now.nanoseconds + nanoseconds, work))
    }

    package var nextDeadline: UInt64? {
        let retry = retries.lazy.map(\.due).min()
        guard let call = openCalls.values.lazy.map(\.deadline).min() else { return retry }
        return min(call, retry ?? call)
    }
}
