// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import ObjectStorage
package import Wire

/// The newest HEADs in the bucket, whoever owns them; only ever read.
package struct RecoveryPoints: Sendable {
    private static let fetchesInFlight = 16

    private let store: any ObjectStore
    private let policy: RetryPolicy
    private let pageLimit: Int

    package init(_ store: any ObjectStore, policy: RetryPolicy, pageLimit: Int = 1000) {
        self.store = store
        self.policy = policy
        self.pageLimit = pageLimit
    }

    /// nil: there is no such volume.
    package func head(of volume: VolumeID) async throws(BusFault) -> Head? {
        let bytes: [UInt8]
        do {
            bytes = try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                try await store.get(BucketLayout.head(volume)).bytes
            }
        } catch {
            if case .notFound = error { return nil }
            throw BusFault(error)
        }
        let head: Head
        do {
            head = try HeadFormat.decode(bytes)
        } catch {
            throw BusFault(.bucketRefused, "HEAD of \(volume) in the bucket is not usable: \(error)")
        }
        guard head.volume == volume else {
            throw BusFault(.bucketRefused, "HEAD of \(volume) in the bucket is that of \(head.volume)")
        }
        return head
    }

    /// The live volume that is meant, by id or by name.
    /// - Parameter ours: the volumes of this gateway, which come first when a name is not unique.
    package func head(of reference: VolumeReference, ours: [VolumeDescription]) async throws(BusFault) -> Head {
        let here = ours.first { $0.name == reference.text }
        if let id = VolumeID(reference.text) ?? here?.id {
            guard let head = try await head(of: id) else { throw Self.unknown(reference) }
            guard head.state == .live else {
                throw BusFault(.unknownVolume, "volume \(head.name) (\(id)) was deleted; its snapshots may remain")
            }
            return head
        }
        let named = try await heads().filter { $0.name == reference.text && $0.state == .live }
        guard let head = named.first else { throw Self.unknown(reference) }
        guard named.count == 1 else {
            let ids = named.map { "\($0.volume) of gateway \($0.owner)" }.sorted().joined(separator: ", ")
            throw BusFault(
                .invalidArgument,
                "the bucket has \(named.count) volumes named \"\(reference.text)\": \(ids); name one by its id")
        }
        return head
    }

    private static func unknown(_ reference: VolumeReference) -> BusFault {
        BusFault(
            .unknownVolume,
            "the bucket has no volume \"\(reference.text)\"; `sluice volume discover` shows those it has")
    }

    /// All HEADs, those of deleted volumes included.
    func heads() async throws(BusFault) -> [Head] {
        let volumes = try await volumes()
        let heads: [Head?] = try await volumes.concurrentMap(limit: Self.fetchesInFlight) { volume in
            do throws(BusFault) {
                return .success(try await head(of: volume))
            } catch {
                return .failure(error)
            }
        }
        return heads.compactMap(\.self)
    }

    /// All that have objects in the bucket; some have no HEAD (any more).
    private func volumes() async throws(BusFault) -> [VolumeID] {
        do {
            return try await PatientReads(store, policy: policy)
                .folders(below: BucketLayout.volumesPrefix, pageLimit: pageLimit).compactMap { VolumeID($0) }
        } catch {
            throw BusFault(error)
        }
    }
}
