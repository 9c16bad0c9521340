// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
package import Wire

/// Cutting volumes for snapshots: one, several in one turn of the loop, or several together with other cache managers.
extension ControlHandler {
    /// A volume that cannot be cut yet is looked at again this often.
    private static var retryNanoseconds: UInt64 { 20_000_000 }
    private static var holdLimitMilliseconds: UInt32 { 1000 }

    package func cut(
        _ request: VolumeCutRequest, within timeout: Duration, answer: @escaping Answer<VolumeCutRequest.Reply>
    ) {
        attempt(answer) { () throws(BusFault) in
            guard !request.wishes.isEmpty, request.wishes.count <= SnapshotGroupFormat.memberLimit else {
                throw BusFault(
                    .invalidArgument, "1 to \(SnapshotGroupFormat.memberLimit) volumes can be cut at one instant")
            }
            // One that was made before is answered, not made again.
            if request.wishes.allSatisfy({ shard.snapshots.isKnown($0.snapshot) }) {
                let finish = call(within: timeout, answer) { "the snapshot is not on the disk yet" }
                return promise(request, pauseNanoseconds: 0, finish: finish)
            }
            let volumes = try distinctVolumes(request.wishes.map(\.volume))
            var news = "no snapshot was taken yet"
            let finish = call(within: timeout, answer) { news }
            let deadline = deadline(after: timeout)
            tryToCut(request, volumes, finish: finish) { text in
                news = text
                // Told that nothing was cut, the caller must be right.
                return self.shard.now.nanoseconds + Self.retryNanoseconds < deadline
            }
        }
    }

    private func distinctVolumes(_ references: [VolumeReference]) throws(BusFault) -> [HostedVolume] {
        var volumes: [HostedVolume] = []
        for reference in references {
            let hosted = try volume(reference)
            guard !volumes.contains(where: { $0 === hosted }) else {
                throw BusFault(.invalidArgument, "volume \(hosted.name) is named twice")
            }
            guard hosted.errand == .none else {
                throw BusFault(.inUse, "volume \(hosted.name) is being created or deleted; try again later")
            }
            volumes.append(hosted)
        }
        return volumes
    }

    /// All or none: either every volume can be cut now, in this turn, or nothing happens.
    /// - Parameter tell: takes what the caller hears if its time is up; returns whether there is time to try again.
    private func tryToCut(
        _ request: VolumeCutRequest, _ volumes: [HostedVolume], finish: @escaping Answer<VolumeCutRequest.Reply>,
        tell: @escaping (String) -> Bool
    ) {
        for hosted in volumes {
            // It may have left while this waited.
            guard shard.volumes[hosted.id] === hosted, let engine = hosted.engine else {
                return finish(.failure(fault(.journalFailed(hosted.problem ?? "it is not open"), hosted)))
            }
            do throws(CutRefusal) {
                try engine.checkCut()
            } catch {
                switch error {
                case .failed(let failure): return finish(.failure(fault(failure, hosted)))
                case .notNow(let reason):
                    let text = "volume \(hosted.name) cannot be cut now: \(reason)"
                    if request.hold != nil { return finish(.failure(BusFault(.busy, text))) }
                    guard tell("no snapshot was taken: " + text) else { return }
                    return later(Self.retryNanoseconds) {
                        // The loop may have stood still meanwhile.
                        guard tell("no snapshot was taken: " + text) else { return }
                        self.tryToCut(request, volumes, finish: finish, tell: tell)
                    }
                }
            }
        }
        if let hold = request.hold, !endHold(hold, of: volumes) {
            return finish(
                .failure(
                    BusFault(.busy, "the volumes were let go before all of the group stood still; try again")))
        }
        _ = tell("the snapshot was cut and is not written down yet; `sluice snapshot list` shows whether it is")
        cut(request, volumes, finish: finish)
    }

    private func cut(
        _ request: VolumeCutRequest, _ volumes: [HostedVolume], finish: @escaping Answer<VolumeCutRequest.Reply>
    ) {
        let start = shard.now.nanoseconds
        var cuts: [(hosted: HostedVolume, caller: CallerToken, point: CutPoint)] = []
        do throws(CutRefusal) {
            for hosted in volumes {
                let (caller, point) = try shard.cut(hosted)
                cuts.append((hosted, caller, point))
            }
        } catch {
            for cut in cuts { cut.hosted.engine?.didKeep(cut.caller, at: shard.now) }
            return finish(.failure(BusFault(.internalError, "a volume that could be cut was not: \(error)")))
        }
        let pause = shard.now.nanoseconds - start
        shard.snapshots.note(pauseNanoseconds: pause)
        let group = request.group.map {
            SnapshotGroupMembership(id: $0.id, members: $0.members, pauseMicroseconds: pause / 1000)
        }
        for (wish, cut) in zip(request.wishes, cuts) {
            let unstored = cut.hosted.engine?.unstoredByteCount(through: cut.point.sequence) ?? 0
            let record = PendingSnapshot(
                id: wish.snapshot, volume: cut.hosted.head, description: request.description,
                createdMilliseconds: request.createdMilliseconds, cut: cut.point, unstoredByteCount: unstored,
                isInternal: request.isInternal, group: group)
            shard.snapshots.begin(record, caller: cut.caller, of: cut.hosted) { _ in }
        }
        promise(request, pauseNanoseconds: pause, finish: finish)
    }

    /// Answers once all of them are on the disk and in a durable journal.
    private func promise(
        _ request: VolumeCutRequest, pauseNanoseconds: UInt64, finish: @escaping Answer<VolumeCutRequest.Reply>
    ) {
        var missing = request.wishes.count
        var fault: BusFault?
        for wish in request.wishes {
            shard.snapshots.whenPromised(wish.snapshot) { result in
                missing -= 1
                if case .failure(let reason) = result { fault = reason }
                guard missing == 0 else { return }
                if let fault { return finish(.failure(fault)) }
                let snapshots = request.wishes.compactMap { self.shard.snapshots.description(of: $0.snapshot) }
                finish(
                    .success(
                        VolumeCutRequest.Reply(snapshots: snapshots, pauseMicroseconds: pauseNanoseconds / 1000)))
            }
        }
    }

    // MARK: Together with other cache managers

    package func hold(
        _ request: VolumeHoldRequest, answer: @escaping Answer<VolumeHoldRequest.Reply>
    ) {
        attempt(answer) { () throws(BusFault) in
            if let released = request.released {
                _ = endHold(released, of: nil)
                return answer(.success(VolumeHoldRequest.Reply(hold: released)))
            }
            let volumes = try distinctVolumes(request.volumes)
            for hosted in volumes {
                guard let engine = hosted.engine else {
                    throw fault(.journalFailed(hosted.problem ?? "it is not open"), hosted)
                }
                do throws(CutRefusal) {
                    try engine.checkCut()
                } catch {
                    switch error {
                    case .failed(let failure): throw fault(failure, hosted)
                    case .notNow(let reason):
                        throw BusFault(.busy, "volume \(hosted.name) cannot be cut now: \(reason); try again later")
                    }
                }
                guard !engine.isHoldingWrites else {
                    throw BusFault(.busy, "volume \(hosted.name) is being cut for another group; try again")
                }
            }
            let milliseconds = min(request.holdMilliseconds, Self.holdLimitMilliseconds)
            let end = shard.now.nanoseconds + UInt64(milliseconds) * 1_000_000
            for hosted in volumes { shard.holdWrites(of: hosted, until: end) }
            let number = shard.drawNumber()
            holds[number] = volumes.map(\.id)
            answer(.success(VolumeHoldRequest.Reply(hold: number)))
        }
    }

    /// Lets the volumes go.
    /// - Returns: whether all of these stood still until now.
    private func endHold(_ number: UInt64, of volumes: [HostedVolume]?) -> Bool {
        guard let held = holds.removeValue(forKey: number) else { return false }
        var stoodStill = volumes.map { Set($0.map(\.id)) == Set(held) } ?? true
        for id in held {
            guard let hosted = shard.volumes[id], let engine = hosted.engine, engine.isHoldingWrites else {
                stoodStill = false
                continue
            }
            // Freed after the cut: what waits is let go when the engine is called next, and this turn cuts first.
            hosted.releasesWritesAfterCut = true
        }
        if volumes == nil || !stoodStill {
            for id in held { if let hosted = shard.volumes[id] { shard.releaseWrites(of: hosted) } }
        }
        return stoodStill
    }

    // MARK: For the snapshotter

    package func pendingSnapshots(after last: SnapshotID? = nil) -> PendingSnapshotsRequest.Reply {
        let (snapshots, hasMore, revision) = shard.snapshots.descriptions(after: last)
        return PendingSnapshotsRequest.Reply(
            gateway: shard.settings.gateway, volumes: shard.volumes.keys.sorted(), snapshots: snapshots,
            hasMore: hasMore, revision: revision)
    }

    package func settle(
        _ request: SettleSnapshotsRequest, answer: @escaping Answer<SettleSnapshotsRequest.Reply>
    ) {
        shard.snapshots.settle(request.snapshots) { answer(.success(SettleSnapshotsRequest.Reply())) }
    }
}
