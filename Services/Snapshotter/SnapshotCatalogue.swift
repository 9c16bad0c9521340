// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import ObjectStorage
package import Wire

/// The snapshots of a bucket: one record each, which is all there is to know (STORAGE §2). Nothing but copies is kept
/// here, so a restart loses nothing and other writers are seen.
package struct SnapshotCatalogue: Sendable {
    /// A record that cannot be read is shown, not passed over: it may be all that is left of a volume.
    package enum Entry: Equatable, Sendable {
        case record(SnapshotRecord)
        case damaged(SnapshotID, reason: String)

        package var id: SnapshotID {
            switch self {
            case .record(let record): record.id
            case .damaged(let id, _): id
            }
        }
    }

    /// Records fetched at once for a listing.
    private static let fetchesInFlight = 16
    /// Others that change the same record at the same time are few; more means that something is wrong.
    private static let changeAttempts = 8

    private let store: any ObjectStore
    private let policy: RetryPolicy
    private let memory = RecordMemory()

    package static let standardPolicy = RetryPolicy(
        firstPause: .milliseconds(20), maximumPause: .seconds(1), deadline: .seconds(5))

    package init(_ store: any ObjectStore, policy: RetryPolicy = standardPolicy) {
        self.store = store
        self.policy = policy
    }

    /// Stores a new record.
    /// - Returns: what the bucket holds under its id, which may be from an earlier attempt.
    package func add(_ record: SnapshotRecord) async throws(BusFault) -> SnapshotRecord {
        let key = BucketLayout.snapshot(record.id)
        let bytes = try Self.encode(record)
        for _ in 0..<Self.changeAttempts {
            do {
                _ = try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                    try await store.put(key, bytes, .absent)
                }
                return record
            } catch {
                switch error {
                case .preconditionFailed, .ambiguous: break
                default: throw BusFault(error)
                }
            }
            // It is there already, or nobody knows whether it is.
            if let found = try await find(record.id) { return found.record }
        }
        throw BusFault(.bucketUnavailable, "the bucket does not say whether it has taken snapshot \(record.id)")
    }

    /// The record of this id, in whatever state; nil if there is none.
    package func record(_ id: SnapshotID) async throws(BusFault) -> SnapshotRecord? { try await find(id)?.record }

    /// Changes a record under If-Match, so that no change by another is lost.
    /// - Parameter edit: returns whether there is anything to write.
    /// - Returns: the record as it is then; nil if there is none.
    @discardableResult
    package func change(
        _ id: SnapshotID, _ edit: (inout SnapshotRecord) -> Bool
    ) async throws(BusFault) -> SnapshotRecord? {
        for _ in 0..<Self.changeAttempts {
            guard let (found, tag) = try await find(id) else { return nil }
            var record = found
            guard edit(&record) else { return record }
            record.formatVersion = SnapshotFormat.version
            let bytes = try Self.encode(record)
            do {
                _ = try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                    try await store.put(BucketLayout.snapshot(id), bytes, .matches(tag))
                }
                memory.forget(id)
                return record
            } catch {
                switch error {
                case .preconditionFailed, .ambiguous: continue  // The next look tells what it is now.
                case .notFound: return nil
                default: throw BusFault(error)
                }
            }
        }
        throw BusFault(.busy, "snapshot \(id) is being changed by others; try again")
    }

    package func setState(
        _ state: SnapshotRecord.State, of id: SnapshotID
    ) async throws(BusFault) -> SnapshotRecord? {
        try await change(id) { record in
            guard record.state != state else { return false }
            record.state = state
            return true
        }
    }

    /// What is wrong with a record that no version of this program can read; nil if there is none, or nothing is wrong.
    package func damage(of id: SnapshotID) async throws(BusFault) -> String? {
        let contents: ObjectContents
        do {
            contents = try await fetch(id)
        } catch {
            switch error {
            case .notFound: return nil
            case .corrupt: return error.description
            default: throw BusFault(error)
            }
        }
        do {
            let record = try SnapshotFormat.decode(contents.bytes)
            return record.id == id ? nil : "it is that of \(record.id)"
        } catch {
            if case .newerFormat = error { return nil }
            return "\(error)"
        }
    }

    /// For good. Only for a record that is damaged: another one is marked, so that its pins stay.
    package func remove(_ id: SnapshotID) async throws(BusFault) {
        do {
            try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                try await store.delete(BucketLayout.snapshot(id))
            }
        } catch {
            throw BusFault(error)
        }
        memory.forget(id)
    }

    /// Writes down how a promised snapshot ended.
    /// - Returns: the record as it is then: one that was deleted meanwhile stays deleted.
    package func settle(_ decided: SnapshotRecord) async throws(BusFault) -> SnapshotRecord {
        for _ in 0..<Self.changeAttempts {
            let changed = try await change(decided.id) { record in
                // An error may turn out to be none: the cache manager that was thought lost came back.
                let isOpen = record.state == .pending || (record.state == .error && decided.state == .completed)
                guard isOpen else { return false }
                record = decided
                return true
            }
            if let changed { return changed }
            let added = try await add(decided)
            if added == decided { return added }
        }
        throw BusFault(.busy, "snapshot \(decided.id) is being changed by others; try again")
    }

    /// All records, by id, those that are being deleted included.
    /// - Parameter age: how long ago a record may have been read that can hardly have changed since (`RecordMemory`).
    package func entries(maximumAge age: Duration = .zero) async throws(BusFault) -> [Entry] {
        let ids = try await ids()
        let (known, revision) = memory.entries(maximumAge: age)
        let read: [Entry?] = try await ids.filter { known[$0] == nil }
            .concurrentMap(limit: Self.fetchesInFlight) { await entry($0) }
        memory.keep(ids: ids, read: read.compactMap(\.self), revision: revision)
        return (ids.compactMap { known[$0] } + read.compactMap(\.self)).sorted { $0.id < $1.id }
    }

    // MARK: Private parts

    private func ids() async throws(BusFault) -> [SnapshotID] {
        let prefix = BucketLayout.snapshotsPrefix
        do {
            return try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                var ids: [SnapshotID] = []
                for try await key in store.keys(prefix: prefix) {
                    if let id = SnapshotID(String(key.name.dropFirst(prefix.count))) { ids.append(id) }
                }
                return ids
            }
        } catch {
            throw BusFault(error)
        }
    }

    /// Success without an entry: it was deleted since the listing.
    private func entry(_ id: SnapshotID) async -> Result<Entry?, BusFault> {
        let contents: ObjectContents
        do {
            contents = try await fetch(id)
        } catch {
            switch error {
            case .notFound: return .success(nil)
            case .corrupt: return .success(.damaged(id, reason: error.description))
            default: return .failure(BusFault(error))
            }
        }
        do {
            return .success(.record(try Self.decode(contents.bytes, id)))
        } catch {
            return .success(.damaged(id, reason: error.message))
        }
    }

    private func find(_ id: SnapshotID) async throws(BusFault) -> (record: SnapshotRecord, tag: EntityTag)? {
        let contents: ObjectContents
        do {
            contents = try await fetch(id)
        } catch {
            if case .notFound = error { return nil }
            throw BusFault(error)
        }
        return (try Self.decode(contents.bytes, id), contents.tag)
    }

    private func fetch(_ id: SnapshotID) async throws(ObjectStoreError) -> ObjectContents {
        try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
            try await store.get(BucketLayout.snapshot(id))
        }
    }

    private static func decode(_ bytes: [UInt8], _ id: SnapshotID) throws(BusFault) -> SnapshotRecord {
        let record: SnapshotRecord
        do {
            record = try SnapshotFormat.decode(bytes)
        } catch {
            if case .newerFormat(_, let version) = error {
                throw BusFault(
                    .bucketRefused,
                    "snapshot \(id) has format \(version), newer than this program; use a newer version of Sluice")
            }
            throw BusFault(.bucketRefused, "the record of snapshot \(id) is damaged: \(error)")
        }
        guard record.id == id else {
            throw BusFault(.bucketRefused, "the record of snapshot \(id) is that of \(record.id)")
        }
        return record
    }

    private static func encode(_ record: SnapshotRecord) throws(BusFault) -> [UInt8] {
        do {
            return try SnapshotFormat.encode(record)
        } catch {
            throw BusFault(.internalError, "snapshot \(record.id) cannot be written: \(error)")
        }
    }
}

extension BusFault {
    /// For whoever asked for something in the bucket.
    package init(_ error: ObjectStoreError) {
        switch error.disposition {
        case .retry, .resolve: self.init(.bucketUnavailable, error.description)
        case .refuse, .failMedium, .answer: self.init(.bucketRefused, error.description)
        }
    }
}
