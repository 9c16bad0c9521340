// SPDX-License-Identifier: Apache-2.0
import Engine
package import ObjectStorage
import Platform

/// What an uploader makes sure of before it takes its first job: the bucket has a format that this program knows, and
/// keeps the promises that everything rests on.
package struct BucketOpening: Sendable {
    private let store: any ObjectStore
    private let policy: RetryPolicy
    private let wallMilliseconds: UInt64
    /// Objects of a probe that is older than this belong to a process that was killed.
    private static let leftoverAgeMilliseconds: UInt64 = 3_600_000

    /// - Parameter policy: for whatever may pass by itself.
    package init(
        _ store: any ObjectStore, wallMilliseconds: UInt64, policy: RetryPolicy = RetryPolicy(deadline: .seconds(10))
    ) {
        self.store = store
        self.policy = policy
        self.wallMilliseconds = wallMilliseconds
    }

    /// Refuses a bucket of a newer format; marks a new bucket with ours.
    package func claimFormat() async throws(ObjectStoreError) {
        let marker: [UInt8]
        do {
            marker = try FormatMarker(createdMilliseconds: wallMilliseconds).encoded()
        } catch {
            throw .refused(.unreadableFormat(BucketLayout.format))
        }
        try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
            try await store.claimFormat(BucketLayout.format, marker: marker, judge: Self.judge)
        }
    }

    /// Each call is repeated while the store fails; when that lasts, the next start begins anew.
    package func probe(run: UInt64) async throws(ObjectStoreError) {
        let start = wallMilliseconds - min(wallMilliseconds, Self.leftoverAgeMilliseconds)
        let probe = ConsistencyProbe(store, time: wallMilliseconds, run: run)
        try await probe.removeLeftovers(before: start)
        try await probe.check()
    }

    private static func judge(_ bytes: [UInt8]) -> ObjectStoreError.Refusal? {
        do {
            _ = try FormatMarker(decoding: bytes)
            return nil
        } catch {
            guard case .newerFormat(_, let version) = error else { return .unreadableFormat(BucketLayout.format) }
            return .newerFormat(found: version, supported: BucketLayout.formatVersion)
        }
    }
}
