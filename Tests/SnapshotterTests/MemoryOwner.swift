// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Snapshotter
import Synchronization
import Wire

/// Stands for a cache manager: cuts at once, completes what it is told to.
final class MemoryOwner: VolumeOwner {
    static let gateway = GatewayID(rawValue: 4)

    static func head(_ name: String = "disk", id: UInt64 = 0x77) -> Head {
        Head(
            volume: VolumeID(rawValue: id), name: name, targetName: "iqn.2026-11.io.sluice:\(name)",
            byteCount: 1 << 30, createdMilliseconds: 1000, sourceSnapshot: nil, durability: "onFlush",
            compressionLevel: 1, commitIntervalSeconds: 10, uploadBufferByteCount: 1 << 30, lineage: 3,
            generation: Generation(2), owner: gateway, commit: CommitID(high: 5, low: 6), commitNumber: 8,
            journalSequence: JournalSequence(9), cutMilliseconds: 4000, foldNumber: 0)
    }

    private struct State {
        var heads: [Head]
        var pending: [SnapshotID: PendingSnapshot] = [:]
        var cutCount = 0
        var settleCount = 0
        var holds: Set<UInt64> = []
        var releaseCount = 0
        var isDead = false
        var refusesHold = false
        var holdIsOver = false
        var beforeList: (@Sendable () async throws -> Void)?
    }
    private let state: Mutex<State>

    init(_ heads: [Head] = [MemoryOwner.head()]) { state = Mutex(State(heads: heads)) }

    var cutCount: Int { state.withLock { $0.cutCount } }
    var releaseCount: Int { state.withLock { $0.releaseCount } }
    var pending: [PendingSnapshot] { state.withLock { $0.pending.values.sorted { $0.id < $1.id } } }
    func die() { state.withLock { $0.isDead = true } }
    func refuseHolds() { state.withLock { $0.refusesHold = true } }
    func letHoldsRunOut() { state.withLock { $0.holdIsOver = true } }
    /// Done before the promises are told.
    var beforeList: (@Sendable () async throws -> Void)? {
        get { state.withLock { $0.beforeList } }
        set { state.withLock { $0.beforeList = newValue } }
    }
    func forget() { state.withLock { $0.pending = [:] } }

    /// The commit that holds the cut has landed.
    func complete(_ ids: SnapshotID...) {
        state.withLock { state in
            for id in ids {
                guard let volume = state.pending[id]?.volume else { continue }
                state.pending[id]?.head = state.heads.first { $0.volume == volume }
            }
        }
    }

    func fail(_ id: SnapshotID, _ reason: String) { state.withLock { $0.pending[id]?.failure = reason } }

    func ask<Request: BusRequest>(
        _ request: Request, within timeout: Duration
    ) async throws(BusFault) -> Request.Reply {
        if state.withLock({ $0.isDead }) { throw BusFault(.deadlineExceeded, "the cache manager does not answer") }
        let reply: any Sendable
        switch request {
        case let cut as VolumeCutRequest: reply = try self.cut(cut)
        case let hold as VolumeHoldRequest: reply = try self.hold(hold)
        case let request as PendingSnapshotsRequest:
            try? await beforeList?()
            reply = list(after: request.after)
        case let settle as SettleSnapshotsRequest:
            state.withLock { state in
                state.settleCount += 1
                for id in settle.snapshots { state.pending[id] = nil }
            }
            reply = SettleSnapshotsRequest.Reply()
        case is VolumeListRequest: reply = VolumeListRequest.Reply(volumes: volumes())
        default: throw BusFault(.unsupportedKind, "\(Request.kind)")
        }
        guard let reply = reply as? Request.Reply else { throw BusFault(.internalError, "a reply of another kind") }
        return reply
    }

    private func cut(_ request: VolumeCutRequest) throws(BusFault) -> VolumeCutRequest.Reply {
        let result = state.withLock { state -> Result<VolumeCutRequest.Reply, BusFault> in
            state.cutCount += 1
            if let hold = request.hold, state.holdIsOver || !state.holds.contains(hold) {
                return .failure(BusFault(.busy, "the volumes were let go"))
            }
            var cuts: [PendingSnapshotDescription] = []
            for wish in request.wishes {
                guard let head = state.heads.first(where: { Self.means(wish.volume, $0) }) else {
                    return .failure(BusFault(.unknownVolume, "no volume \(wish.volume.text)"))
                }
                let pending =
                    state.pending[wish.snapshot]
                    ?? PendingSnapshot(
                        id: wish.snapshot, volume: head, description: request.description,
                        createdMilliseconds: request.createdMilliseconds,
                        cut: CutPoint(sequence: JournalSequence(20), wallMilliseconds: 4500), unstoredByteCount: 8192,
                        isInternal: request.isInternal,
                        group: request.group.map {
                            SnapshotGroupMembership(id: $0.id, members: $0.members, pauseMicroseconds: 300)
                        })
                state.pending[wish.snapshot] = pending
                cuts.append(Self.description(pending))
            }
            return .success(VolumeCutRequest.Reply(snapshots: cuts, pauseMicroseconds: 300))
        }
        return try result.get()
    }

    private func hold(_ request: VolumeHoldRequest) throws(BusFault) -> VolumeHoldRequest.Reply {
        let result = state.withLock { state -> Result<VolumeHoldRequest.Reply, BusFault> in
            if let released = request.released {
                state.releaseCount += 1
                state.holds.remove(released)
                return .success(VolumeHoldRequest.Reply(hold: released))
            }
            if state.refusesHold { return .failure(BusFault(.busy, "two cuts are under way")) }
            state.holds.insert(77)
            return .success(VolumeHoldRequest.Reply(hold: 77))
        }
        return try result.get()
    }

    /// Two in each answer, so that every list of more has to be read in parts.
    private func list(after last: SnapshotID?) -> PendingSnapshotsRequest.Reply {
        state.withLock { state in
            let rest = state.pending.values.filter { last == nil || $0.id > last ?? $0.id }.sorted { $0.id < $1.id }
            return PendingSnapshotsRequest.Reply(
                gateway: Self.gateway, volumes: state.heads.map(\.volume),
                snapshots: rest.prefix(2).map(Self.description), hasMore: rest.count > 2)
        }
    }

    private func volumes() -> [VolumeDescription] {
        state.withLock { state in
            state.heads.map { head in
                VolumeDescription(
                    id: head.volume, name: head.name, targetName: head.targetName, byteCount: head.byteCount,
                    status: .available, statusReason: "", durability: .onFlush, compression: .standard,
                    commitIntervalSeconds: 10, sourceSnapshot: nil, createdMilliseconds: 1, generation: 1,
                    commitNumber: 1, recoveryPointMilliseconds: 1, dirtyByteCount: 0, oldestDirtySeconds: 0,
                    uploadBufferUsedByteCount: 0, uploadBufferByteCount: 1)
            }
        }
    }

    private static func means(_ reference: VolumeReference, _ head: Head) -> Bool {
        reference.text == head.name || reference.text == head.volume.description
    }

    private static func description(_ pending: PendingSnapshot) -> PendingSnapshotDescription {
        PendingSnapshotDescription(
            id: pending.id, volume: pending.volume, uploadByteCount: pending.unstoredByteCount,
            uploadedByteCount: 4096, waitingReason: pending.isDecided ? "" : "the bucket is slow",
            record: (try? PendingSnapshotFormat.encode(pending)) ?? [])
    }
}
