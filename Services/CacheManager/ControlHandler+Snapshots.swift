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
            let finish = call(within: timeout, answer) { "the snapshot was cut and is not written down yet" }
            // One that was made before is answered, not made again.
            if request.wishes.allSatisfy({ shard.snapshots.isKnown($0.snapshot) }) {
                return promise(request, pauseNanoseconds: 0, finish: finish)
            }
            do throws(BusFault) {
                try checkPlace(for: request)
                let volumes = try distinctVolumes(request.wishes.map(\.volume))
                tryToCut(request, volumes, until: deadline(after: timeout), finish: finish)
            } catch {
                finish(.failure(error))
            }
        }
    }

    private func checkPlace(for request: VolumeCutRequest) throws(BusFault) {
        // What is missing would be of another instant.
        let known = request.wishes.map(\.snapshot).filter(shard.snapshots.isKnown)
        guard known.isEmpty else {
            let ids = known.map(\.description).joined(separator: ", ")
            throw BusFault(.inUse, "a part of this group was cut before, and the rest cannot join it: \(ids)")
        }
        let limit = shard.snapshots.limit
        guard shard.snapshots.count + request.wishes.count <= limit else {
            throw BusFault(
                .busy,
                "no snapshot was taken: \(shard.snapshots.count) wait for the bucket already, and \(limit) may; "
                    + "try again when `sluice snapshot list` shows fewer as pending")
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
    /// - Parameter deadline: nothing is cut later, so that who is told that no snapshot was taken is told the truth.
    private func tryToCut(
        _ request: VolumeCutRequest, _ volumes: [HostedVolume], until deadline: UInt64,
        finish: @escaping Answer<VolumeCutRequest.Reply>
    ) {
        for hosted in volumes {
            // It may have left while this waited.
            guard shard.volumes[hosted.id] === hosted, let engine = hosted.engine else {
                return finish(.failure(fault(.journalFailed(hosted.problem ?? "it is not open"), hosted)))
            }
            do throws(CutRefusal) {
                // The loop may have stood still since the last look.
                guard shard.now.nanoseconds < deadline else { throw .notNow("the gateway was busy for too long") }
                try engine.checkCut()
            } catch {
                switch error {
                case .failed(let failure): return finish(.failure(fault(failure, hosted)))
                case .notNow(let reason):
                    guard request.hold == nil, shard.now.nanoseconds + Self.retryNanoseconds < deadline else {
                        let text = "no snapshot was taken: volume \(hosted.name) cannot be cut now: \(reason)"
                        return finish(.failure(BusFault(.busy, text)))
                    }
                    return later(Self.retryNanoseconds) {
                        self.tryToCut(request, volumes, until: deadline, finish: finish)
                    }
                }
            }
        }
        var start = shard.now.nanoseconds
        if let hold = request.hold {
            guard let held = endHold(hold, of: volumes) else {
                return finish(
                    .failure(
                        BusFault(.busy, "the volumes were let go before all of the group stood still; try again")))
            }
            start = held
        }
        cut(request, volumes, standingStillSince: start, finish: finish)
    }

    private func cut(
        _ request: VolumeCutRequest, _ volumes: [HostedVolume], standingStillSince start: UInt64,
        finish: @escaping Answer<VolumeCutRequest.Reply>
    ) {
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
            let length = UInt64(min(request.holdMilliseconds, Self.holdLimitMilliseconds)) * 1_000_000
            let start = shard.now.nanoseconds
            for hosted in volumes { shard.holdWrites(of: hosted, until: start + length) }
            let number = shard.drawNumber()
            holds[number] = Hold(volumes: volumes.map(\.id), start: start)
            later(length) { _ = self.endHold(number, of: nil) }
            answer(.success(VolumeHoldRequest.Reply(hold: number)))
        }
    }

    /// Lets the volumes go.
    /// - Returns: since when all of these stood still; nil if they did not until now.
    private func endHold(_ number: UInt64, of volumes: [HostedVolume]?) -> UInt64? {
        guard let hold = holds.removeValue(forKey: number) else { return nil }
        var stoodStill = volumes.map { Set($0.map(\.id)) == Set(hold.volumes) } ?? false
        for id in hold.volumes {
            guard let hosted = shard.volumes[id], let engine = hosted.engine, engine.isHoldingWrites else {
                stoodStill = false
                continue
            }
            // Freed after the cut: what waits is let go when the engine is called next, and this turn cuts first.
            hosted.releasesWritesAfterCut = true
        }
        if stoodStill { return hold.start }
        for id in hold.volumes { if let hosted = shard.volumes[id] { shard.releaseWrites(of: hosted) } }
        shard.snapshots.note(pauseNanoseconds: shard.now.nanoseconds - hold.start, isCut: false)
        return nil
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
