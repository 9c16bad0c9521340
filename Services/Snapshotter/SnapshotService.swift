// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Synchronization
package import Wire

/// Makes, lists and deletes snapshots for whoever asks. A snapshot is a commit whose root is kept: the cache manager
/// cuts the volume and promises the commit, `SnapshotKeeper` puts its HEAD into a record of its own.
package struct SnapshotService: Sendable {
    /// What a request changes is looked at soon.
    package typealias Notice = @Sendable () -> Void

    static let descriptionByteLimit = 1024
    /// A volume that cannot be frozen for this long has two cuts under way already.
    static let cutTimeout = Duration.seconds(10)
    static let listTimeout = Duration.seconds(5)
    let catalogue: SnapshotCatalogue
    let groups: GroupCatalogue
    let recoveryPoints: RecoveryPoints
    let owners: VolumeOwners
    let wallMilliseconds: @Sendable () -> UInt64
    let notice: Notice

    package init(
        catalogue: SnapshotCatalogue, groups: GroupCatalogue, recoveryPoints: RecoveryPoints,
        wallMilliseconds: @escaping @Sendable () -> UInt64, owners: @escaping VolumeOwners,
        notice: @escaping Notice = {}
    ) {
        self.catalogue = catalogue
        self.groups = groups
        self.recoveryPoints = recoveryPoints
        self.wallMilliseconds = wallMilliseconds
        self.owners = owners
        self.notice = notice
    }

    // MARK: Making

    /// - Parameter id: derived from the request, so that a request which is repeated after a restart of this service
    ///   finds the snapshot that it has made.
    package func create(
        _ request: SnapshotCreateRequest, id: SnapshotID
    ) async throws(BusFault) -> SnapshotDescription {
        try Self.check(request.description)
        if request.fromRecoveryPoint ?? false { return try await keepRecoveryPoint(request, id) }
        if let made = try await made(id) { return made }
        let wish = VolumeCutRequest.Wish(snapshot: id, volume: request.volume)
        let cut = VolumeCutRequest(
            wishes: [wish], description: request.description, createdMilliseconds: wallMilliseconds(),
            isInternal: request.isInternal ?? false)
        let reply = try await self.cut(cut)
        notice()
        return try Self.description(of: reply, id)
    }

    /// What an earlier attempt of the same request has made. The cache manager knows its own, so an absent bucket keeps
    /// nobody from cutting.
    private func made(_ id: SnapshotID) async throws(BusFault) -> SnapshotDescription? {
        do throws(BusFault) {
            return try await catalogue.record(id).map { SnapshotDescription($0) }
        } catch {
            guard error.code == .bucketUnavailable else { throw error }
            return nil
        }
    }

    /// Keeps the root of the newest HEAD. Nothing is cut, and the volume's gateway need not live.
    private func keepRecoveryPoint(
        _ request: SnapshotCreateRequest, _ id: SnapshotID
    ) async throws(BusFault) -> SnapshotDescription {
        // One that is pending was begun by an earlier attempt of the same request.
        if let made = try await catalogue.record(id), made.state != .pending { return SnapshotDescription(made) }
        let found = try await recoveryPoints.head(of: request.volume, ours: await ourVolumes())
        var promise = SnapshotRecord(
            id: id, head: found, description: request.description, createdMilliseconds: wallMilliseconds(),
            state: .pending)
        promise.head = nil
        promise.commitNumber = 0
        promise.origin = .recoveryPoint
        promise.isInternal = request.isInternal ?? false ? true : nil
        promise.gateway = await PendingList.read(owners).gateway
        promise = try await catalogue.add(promise)
        // From here on the record counts as a root of the volume, and what the volume has pinned stays. Pins that fell
        // before fell because it was deleted, and then HEAD says so now.
        guard let head = try await recoveryPoints.head(of: found.volume), head.state == .live else {
            let reason = "volume \(found.name) was deleted"
            try await finish(promise) { record in
                record.state = .error
                record.reason = reason
            }
            throw BusFault(.unknownVolume, "\(reason) (\(found.volume)); its snapshots may remain")
        }
        let kept = try await finish(promise) { record in
            record.state = .completed
            record.head = head
            record.commitNumber = head.commitNumber
            record.volumeByteCount = head.byteCount
            record.cutMilliseconds = head.cutMilliseconds
        }
        return SnapshotDescription(kept)
    }

    /// Unless it has ended already; one that did not count as a root for a while must not become one again.
    @discardableResult
    private func finish(
        _ promise: SnapshotRecord, _ edit: (inout SnapshotRecord) -> Void
    ) async throws(BusFault) -> SnapshotRecord {
        let ended = wallMilliseconds()
        let record = try await catalogue.change(promise.id) { record in
            guard record.state == .pending else { return false }
            edit(&record)
            record.endedMilliseconds = ended
            return true
        }
        guard let record else { throw Self.unknown(promise.id) }
        return record
    }

    private func ourVolumes() async -> [VolumeDescription] {
        guard let owners = try? await owners() else { return [] }
        var volumes: [VolumeDescription] = []
        for owner in owners {
            guard let reply = try? await owner.ask(VolumeListRequest(), within: Self.listTimeout) else { continue }
            volumes += reply.volumes.filter { $0.status != .standby }
        }
        return volumes
    }

    private func cut(_ request: VolumeCutRequest) async throws(BusFault) -> VolumeCutRequest.Reply {
        var unknown: BusFault?
        // Of the one that has it, or of one that cannot say whether it does while another has it.
        var failure: BusFault?
        for owner in try await owners() {
            do throws(BusFault) {
                return try await owner.ask(request, within: Self.cutTimeout)
            } catch {
                if error.code == .unknownVolume { unknown = error } else { failure = error }
            }
        }
        if let failure { throw failure }
        guard let unknown else { throw BusFault(.notReady, "no cache manager runs; start it (sluice-cache)") }
        throw await elsewhere(request.wishes[0].volume) ?? unknown
    }

    /// A volume that is not here may be another gateway's.
    func elsewhere(_ volume: VolumeReference) async -> BusFault? {
        guard let head = try? await recoveryPoints.head(of: volume, ours: []) else { return nil }
        return BusFault(
            .ownedElsewhere,
            "volume \(head.name) (\(head.volume)) belongs to gateway \(head.owner): only that gateway can cut it; "
                + "with --from-recovery-point its newest recovery point (commit \(head.commitNumber)) is used")
    }

    static func description(
        of reply: VolumeCutRequest.Reply, _ id: SnapshotID
    ) throws(BusFault) -> SnapshotDescription {
        guard let cut = reply.snapshots.first(where: { $0.id == id }),
            let record = try? PendingSnapshotFormat.decode(cut.record), record.id == id
        else { throw BusFault(.internalError, "the cache manager answered with another cut than was asked for") }
        var description = SnapshotDescription(SnapshotRecord(record, gateway: GatewayID(rawValue: 0)))
        description.uploadByteCount = cut.uploadByteCount
        description.uploadedByteCount = cut.uploadedByteCount
        if !cut.waitingReason.isEmpty { description.reason = cut.waitingReason }
        return description
    }

    static func check(_ description: String) throws(BusFault) {
        guard description.utf8.count <= descriptionByteLimit else {
            throw BusFault(
                .invalidArgument, "the description is longer than \(descriptionByteLimit) bytes; shorten it")
        }
    }

    // MARK: Looking

    package func list(_ request: SnapshotListRequest) async throws(BusFault) -> SnapshotListRequest.Reply {
        // Before the records: what is settled in between is found there.
        let pending = await PendingList.read(owners)
        guard let id = request.id else {
            let entries = try await catalogue.entries()
            var shown = Dictionary(
                entries.map { SnapshotDescription($0) }.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            for (id, item) in pending.items { Self.merge(item, into: &shown[id]) }
            let visible = shown.values.filter {
                $0.state != .deleting && (request.includesInternal ?? false || $0.isInternal != true)
            }
            return SnapshotListRequest.Reply(snapshots: visible.sorted { $0.id < $1.id })
        }
        var found: SnapshotDescription?
        do throws(BusFault) {
            found = try await catalogue.record(id).map { SnapshotDescription($0) }
        } catch {
            // What is promised is known without the bucket.
            guard error.code == .bucketUnavailable, pending.items[id] != nil else { throw error }
        }
        if let item = pending.items[id] { Self.merge(item, into: &found) }
        guard let found, found.state != .deleting else { throw Self.unknown(id) }
        return SnapshotListRequest.Reply(snapshots: [found])
    }

    private static func merge(_ item: PendingList.Item, into found: inout SnapshotDescription?) {
        guard found == nil || found?.state == .pending else { return }
        found = item.description
    }

    // MARK: Deleting

    /// Marks the record, so that nothing can be made of the snapshot any more and nobody sees it. What volumes made
    /// from it have pinned stays theirs (STORAGE §7); the rest comes back with reclaim.
    /// Deleting twice is no mistake: the second may be a repeat of the first.
    package func delete(_ request: SnapshotDeleteRequest) async throws(BusFault) -> SnapshotDescription {
        let id = request.id
        let damage = try await catalogue.damage(of: id)
        if let damage { try await remove(id, damage) }
        if let record = try await mark(id) { return record }
        // Promised, and not announced in the bucket yet: the mark comes first, so that it is never completed.
        let pending = await PendingList.read(owners)
        if let item = pending.items[id] {
            var record = SnapshotRecord(item.record, gateway: item.gateway)
            record.state = .deleting
            record.head = nil
            record.commitNumber = 0
            let added = try await catalogue.add(record)
            if added.state == .deleting { return SnapshotDescription(added) }
        }
        // It may have been announced, or have ended, between the two looks.
        if let record = try await mark(id) { return record }
        if let damage {
            var removed = SnapshotDescription(.damaged(id, reason: damage))
            removed.state = .deleting
            removed.reason = "its record could not be read (\(damage)) and was removed"
            return removed
        }
        guard pending.isComplete else {
            throw BusFault(
                .notReady,
                "the bucket has no snapshot \(id), and a cache manager that may have promised it does not answer; "
                    + "try again")
        }
        throw Self.unknown(id)
    }

    private func mark(_ id: SnapshotID) async throws(BusFault) -> SnapshotDescription? {
        guard let record = try await catalogue.setState(.deleting, of: id) else { return nil }
        notice()
        return SnapshotDescription(record)
    }

    /// Nobody can tell what has pinned a damaged record. When it goes, nothing that was made from it may be left.
    private func remove(_ id: SnapshotID, _ damage: String) async throws(BusFault) {
        var heirs = try await recoveryPoints.heads().filter { $0.state == .live && $0.sourceSnapshot == id }
            .map { "volume \($0.name) (\($0.volume))" }
        heirs += await PendingList.read(owners).items.values.filter { $0.record.head?.sourceSnapshot == id }
            .map { "snapshot \($0.record.id) of \($0.record.volumeName)" }
        for entry in try await catalogue.entries() {
            guard case .record(let record) = entry, record.head?.sourceSnapshot == id,
                record.state != .deleting || !record.pinList.isEmpty
            else { continue }
            heirs.append("snapshot \(record.id) of \(record.volumeName)")
        }
        guard heirs.isEmpty else {
            throw BusFault(
                .inUse,
                "the record of snapshot \(id) cannot be read (\(damage)), and without it nothing protects the data of "
                    + "what was made from it; delete that first: \(Set(heirs).sorted().joined(separator: ", "))")
        }
        try await catalogue.remove(id)
    }

    /// One request has one id, whichever process serves it: the caller's instance, which is random, mixed with the
    /// request's number by a bijection, so that numbers of one caller never share an id.
    package static func id(of number: UInt64, from caller: ServiceInstance) -> SnapshotID {
        SnapshotID(rawValue: SplitMix64.finish(caller.rawValue &+ number &* SplitMix64.step))
    }

    private static func unknown(_ id: SnapshotID) -> BusFault {
        BusFault(.unknownSnapshot, "there is no snapshot \(id); `sluice snapshot list` shows all")
    }
}
