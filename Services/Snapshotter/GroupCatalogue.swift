// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import ObjectStorage
package import Wire

/// The groups of a bucket: one record each, written once, when every member's end is known.
package struct GroupCatalogue: Sendable {
    private let store: any ObjectStore
    private let policy: RetryPolicy
    private let snapshots: SnapshotCatalogue

    package init(_ store: any ObjectStore, snapshots: SnapshotCatalogue, policy: RetryPolicy) {
        self.store = store
        self.snapshots = snapshots
        self.policy = policy
    }

    /// Writes the group's record if all its members have ended, one way or the other.
    /// - Returns: false if some have not: to be asked again.
    package func finish(
        _ group: SnapshotGroupMembership, made decided: SnapshotRecord, pending: PendingList
    ) async throws(BusFault) -> Bool {
        var members: [SnapshotGroupRecord.Member] = []
        var missing: [String] = []
        var pause = group.pauseMicroseconds
        for id in group.members {
            let record = try await snapshots.record(id)
            if pending.isPending(id) || record?.state == .pending { return false }
            guard let record else {
                // Written between the two looks, or never cut. Only a complete list tells.
                if pending.items[id] != nil || !pending.isComplete { return false }
                missing.append("\(id) was not cut")
                continue
            }
            pause = max(pause, record.group?.pauseMicroseconds ?? 0)
            members.append(.init(snapshot: id, volume: record.volume, volumeName: record.volumeName))
            if record.state != .completed {
                missing.append("\(id) of \(record.volumeName): \(record.reason ?? record.state.rawValue)")
            }
        }
        let record = SnapshotGroupRecord(
            id: group.id, gateway: decided.gateway ?? GatewayID(rawValue: 0), description: decided.description,
            createdMilliseconds: decided.createdMilliseconds,
            cutMilliseconds: decided.cutMilliseconds ?? decided.createdMilliseconds,
            state: missing.isEmpty ? .completed : .error,
            reason: missing.isEmpty ? nil : missing.joined(separator: "; "), pauseMicroseconds: pause,
            members: members)
        try await add(record)
        return true
    }

    /// nil: there is no such record (yet).
    package func record(_ id: SnapshotGroupID) async throws(BusFault) -> SnapshotGroupRecord? {
        let bytes: [UInt8]
        do {
            bytes = try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                try await store.get(BucketLayout.group(id)).bytes
            }
        } catch {
            if case .notFound = error { return nil }
            throw BusFault(error)
        }
        do {
            let record = try SnapshotGroupFormat.decode(bytes)
            if record.id == id { return record }
        } catch {
            throw BusFault(.bucketRefused, "the record of group \(id) is damaged: \(error)")
        }
        throw BusFault(.bucketRefused, "the record of group \(id) is that of another")
    }

    package func ids() async throws(BusFault) -> [SnapshotGroupID] {
        let prefix = BucketLayout.groupsPrefix
        do {
            return try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                var ids: [SnapshotGroupID] = []
                for try await key in store.keys(prefix: prefix) {
                    if let id = SnapshotGroupID(String(key.name.dropFirst(prefix.count))) { ids.append(id) }
                }
                return ids
            }
        } catch {
            throw BusFault(error)
        }
    }

    private func add(_ record: SnapshotGroupRecord) async throws(BusFault) {
        let bytes: [UInt8]
        do {
            bytes = try SnapshotGroupFormat.encode(record)
        } catch {
            throw BusFault(.internalError, "group \(record.id) cannot be written: \(error)")
        }
        do {
            _ = try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                try await store.put(BucketLayout.group(record.id), bytes, .absent)
            }
        } catch {
            // There already: of an earlier attempt. Not known: the next one tells.
            if case .preconditionFailed = error { return }
            throw BusFault(error)
        }
    }
}
