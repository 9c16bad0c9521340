// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
package import Wire

/// Several volumes at one instant. Those of one cache manager are cut in one turn of its loop. With several, all of
/// them hold back new writes first; each lets go when it has cut. A cache manager whose hold ran out refuses to cut, so
/// a write that waited for another volume's write is never in a group without that one.
extension SnapshotService {
    /// How long writes may be held back for a group of several cache managers.
    private static let holdMilliseconds: UInt32 = 100

    private struct Part: Sendable {
        var owner: any VolumeOwner
        var wishes: [VolumeCutRequest.Wish]
        var hold: UInt64?
    }

    /// - Parameter id: derived from the request, as a snapshot's is.
    package func createGroup(
        _ request: SnapshotGroupCreateRequest, id: SnapshotGroupID
    ) async throws(BusFault) -> SnapshotGroupDescription {
        try Self.check(request.description)
        guard (1...SnapshotGroupFormat.memberLimit).contains(request.volumes.count) else {
            throw BusFault(.invalidArgument, "a group has 1 to \(SnapshotGroupFormat.memberLimit) volumes")
        }
        let members = Self.members(of: id, count: request.volumes.count)
        // The same request may have been served before this service was started again.
        if let made = try await made(id) { return made }
        var parts = try await parts(request, members)
        if parts.count > 1 { try await hold(&parts) }
        let cut = VolumeCutRequest(
            wishes: [], description: request.description, createdMilliseconds: wallMilliseconds(),
            group: VolumeCutRequest.Group(id: id, members: members))
        let replies = try await self.cut(parts, cut)
        notice()
        let descriptions = try members.map { member throws(BusFault) in
            guard let reply = replies.first(where: { $0.snapshots.contains { $0.id == member } }) else {
                throw BusFault(.internalError, "a cache manager answered with other cuts than were asked for")
            }
            return try Self.description(of: reply, member)
        }
        return SnapshotGroupDescription(
            id: id, description: request.description, state: .pending, reason: nil,
            createdMilliseconds: cut.createdMilliseconds,
            cutMilliseconds: descriptions.compactMap(\.cutMilliseconds).max() ?? cut.createdMilliseconds,
            pauseMicroseconds: replies.map(\.pauseMicroseconds).max() ?? 0, members: descriptions)
    }

    /// What an earlier attempt of the same request has made. An absent bucket keeps nobody from cutting: cache managers
    /// know what they have promised, and refuse to cut a part of it again.
    private func made(_ id: SnapshotGroupID) async throws(BusFault) -> SnapshotGroupDescription? {
        do throws(BusFault) {
            return try await describe(id, await PendingList.read(owners))
        } catch {
            guard error.code == .bucketUnavailable else { throw error }
            return nil
        }
    }

    package static func groupID(of number: UInt64, from caller: ServiceInstance) -> SnapshotGroupID {
        SnapshotGroupID(rawValue: id(of: number, from: caller).rawValue)
    }

    package static func members(of id: SnapshotGroupID, count: Int) -> [SnapshotID] {
        (1...count).map { SnapshotID(rawValue: SplitMix64.finish(id.rawValue &+ UInt64($0) &* SplitMix64.step)) }
    }

    // MARK: Who has what

    private func parts(
        _ request: SnapshotGroupCreateRequest, _ members: [SnapshotID]
    ) async throws(BusFault) -> [Part] {
        var parts: [Part] = []
        var missing = Array(zip(members, request.volumes))
        var silence: BusFault?
        for owner in try await owners() {
            let volumes: [VolumeDescription]
            do throws(BusFault) {
                volumes = try await owner.ask(VolumeListRequest(), within: Self.listTimeout).volumes
                    .filter { $0.status != .standby }
            } catch {
                silence = error
                continue
            }
            let here = missing.filter { _, reference in
                volumes.contains { $0.name == reference.text || $0.id.description == reference.text }
            }
            guard !here.isEmpty else { continue }
            parts.append(Part(owner: owner, wishes: here.map { .init(snapshot: $0, volume: $1) }))
            missing.removeAll { member, _ in here.contains { $0.0 == member } }
        }
        guard let (_, reference) = missing.first else { return parts }
        if let silence { throw silence }
        if let fault = await elsewhere(reference) {
            throw BusFault(
                fault.code,
                "\(fault.message). A group holds only volumes of one gateway: leave it out, or keep it alone")
        }
        throw BusFault(
            .unknownVolume,
            "this gateway has no volume \"\(reference.text)\"; `sluice volume list` shows those it has")
    }

    // MARK: At one instant

    /// All or none: if one does not stand still, the others are let go.
    private func hold(_ parts: inout [Part]) async throws(BusFault) {
        let timeout = Duration.milliseconds(Int64(Self.holdMilliseconds))
        let requests = parts.map { part in
            (part.owner, VolumeHoldRequest(volumes: part.wishes.map(\.volume), holdMilliseconds: Self.holdMilliseconds))
        }
        let results = await withTaskGroup(of: (Int, Result<VolumeHoldRequest.Reply, BusFault>).self) { group in
            for (index, (owner, request)) in requests.enumerated() {
                group.addTask { (index, await owner.answer(to: request, within: timeout)) }
            }
            var results: [(Int, Result<VolumeHoldRequest.Reply, BusFault>)] = []
            for await result in group { results.append(result) }
            return results
        }
        var fault: BusFault?
        for (index, result) in results {
            switch result {
            case .success(let reply): parts[index].hold = reply.hold
            case .failure(let error): fault = error
            }
        }
        guard let fault else { return }
        for part in parts {
            guard let hold = part.hold else { continue }
            // If this is not heard, the hold ends by itself.
            let release = VolumeHoldRequest(volumes: [], holdMilliseconds: 0, released: hold)
            _ = try? await part.owner.ask(release, within: timeout)
        }
        throw BusFault(
            fault.code, "no group was made, because not all volumes stood still within 100 ms: \(fault.message)")
    }

    private func cut(
        _ parts: [Part], _ cut: VolumeCutRequest
    ) async throws(BusFault) -> [VolumeCutRequest.Reply] {
        typealias Result = Swift.Result<VolumeCutRequest.Reply, BusFault>
        let results = await withTaskGroup(of: (Part, Result).self) { group in
            for part in parts {
                var request = cut
                request.wishes = part.wishes
                request.hold = part.hold
                let wanted = request
                group.addTask { (part, await part.owner.answer(to: wanted, within: Self.cutTimeout)) }
            }
            var results: [(Part, Result)] = []
            for await result in group { results.append(result) }
            return results
        }
        var replies: [VolumeCutRequest.Reply] = []
        var kept: [String] = []
        var missing: [String] = []
        var fault: BusFault?
        for (part, result) in results {
            switch result {
            case .success(let reply):
                replies.append(reply)
                kept += part.wishes.map { "\($0.snapshot) of \($0.volume.text)" }
            case .failure(let error):
                fault = error
                missing.append("\(part.wishes.map(\.volume.text).joined(separator: ", ")): \(error.message)")
            }
        }
        guard let fault else { return replies }
        guard !replies.isEmpty else { throw fault }
        notice()
        throw BusFault(
            fault.code,
            "the group \(cut.group.map { "\($0.id) " } ?? "")is broken, because not all volumes were cut "
                + "(\(missing.joined(separator: "; "))). Snapshots of the others were made: "
                + kept.joined(separator: ", "))
    }

    // MARK: Looking

    package func listGroups(
        _ request: SnapshotGroupListRequest
    ) async throws(BusFault) -> SnapshotGroupListRequest.Reply {
        let pending = await PendingList.read(owners)
        var ids: Set<SnapshotGroupID> = []
        if let id = request.id {
            ids.insert(id)
        } else {
            ids.formUnion(try await groups.ids())
            ids.formUnion(pending.items.values.compactMap { $0.record.group?.id })
        }
        var found: [SnapshotGroupDescription] = []
        for id in ids.sorted() {
            guard let group = try await describe(id, pending) else { continue }
            // What people have deleted whole is gone for them.
            if request.id == nil, !group.members.isEmpty, group.members.allSatisfy({ $0.state == .deleting }) {
                continue
            }
            found.append(group)
        }
        if let id = request.id, found.isEmpty {
            throw BusFault(.unknownSnapshot, "there is no group \(id); `sluice snapshot groups` shows all")
        }
        return SnapshotGroupListRequest.Reply(groups: found)
    }

    private func describe(
        _ id: SnapshotGroupID, _ pending: PendingList
    ) async throws(BusFault) -> SnapshotGroupDescription? {
        let items = pending.items.values.filter { $0.record.group?.id == id }.sorted { $0.record.id < $1.record.id }
        do throws(BusFault) {
            if let record = try await groups.record(id) { return try await describe(record) }
        } catch {
            // What is promised is known without the bucket.
            guard error.code == .bucketUnavailable, !items.isEmpty else { throw error }
        }
        guard let first = items.first?.record, let membership = first.group else { return nil }
        var members: [SnapshotDescription] = []
        var reasons: [String] = []
        for member in membership.members {
            if let item = pending.items[member] {
                members.append(item.description)
                if let reason = item.description.reason { reasons.append(reason) }
                continue
            }
            do throws(BusFault) {
                if let record = try await catalogue.record(member) {
                    members.append(SnapshotDescription(record))
                } else if pending.isComplete {
                    reasons.insert("\(member) was not cut", at: 0)
                }
            } catch {
                reasons.append(error.message)
            }
        }
        return SnapshotGroupDescription(
            id: id, description: first.description, state: .pending, reason: reasons.first,
            createdMilliseconds: first.createdMilliseconds, cutMilliseconds: first.cut.wallMilliseconds,
            pauseMicroseconds: items.compactMap { $0.record.group?.pauseMicroseconds }.max() ?? 0, members: members)
    }

    /// One whose end is known.
    private func describe(_ record: SnapshotGroupRecord) async throws(BusFault) -> SnapshotGroupDescription {
        var members: [SnapshotDescription] = []
        for member in record.members {
            if let found = try await catalogue.record(member.snapshot) { members.append(SnapshotDescription(found)) }
        }
        var group = SnapshotGroupDescription(
            id: record.id, description: record.description, state: record.state == .completed ? .completed : .error,
            reason: record.reason, createdMilliseconds: record.createdMilliseconds,
            cutMilliseconds: record.cutMilliseconds, pauseMicroseconds: record.pauseMicroseconds, members: members)
        // Whole when it was made is not whole for ever.
        if group.state == .completed, let broken = members.first(where: { $0.state != .completed }) {
            group.state = .error
            group.reason = "\(broken.id) of \(broken.volumeName) was deleted"
        } else if group.state == .completed, members.count < record.members.count {
            group.state = .error
            group.reason = "snapshots of it are not in the bucket any more"
        }
        return group
    }
}
