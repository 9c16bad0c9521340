// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A bucket that is asked again when a read fails for the moment, or brings what was damaged on the way. For programs
/// that have nobody else to try again for them; writes pass as they are.
package struct PatientReads: ObjectStore {
    /// Damage in the object itself comes again each time.
    private static let damageLimit = 3

    package var location: String { store.location }
    private let store: any ObjectStore
    private let policy: RetryPolicy?

    /// - Parameter policy: nil: the caller tries again himself what failed; only damage is read again here.
    package init(_ store: any ObjectStore, policy: RetryPolicy? = nil) {
        self.store = store
        self.policy = policy
    }

    package func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag { try await store.put(key, bytes, precondition) }

    package func delete(_ key: ObjectKey) async throws(ObjectStoreError) { try await store.delete(key) }

    package func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents {
        try await patiently { () throws(ObjectStoreError) in try await store.get(key) }
    }

    package func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        try await patiently { () throws(ObjectStoreError) in
            try await store.getRange(key, byteOffset: byteOffset, byteCount: byteCount)
        }
    }

    package func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        try await patiently { () throws(ObjectStoreError) in try await store.byteCount(of: key) }
    }

    package func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage {
        try await patiently { () throws(ObjectStoreError) in
            try await store.list(prefix: prefix, after: after, limit: limit)
        }
    }

    private func patiently<Value: Sendable>(
        _ read: () async throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        var damage = 0
        while true {
            do throws(ObjectStoreError) {
                guard let policy else { return try await read() }
                return try await policy.run(clock: ContinuousClock(), read)
            } catch {
                damage += 1
                guard case .corrupt = error, damage < Self.damageLimit else { throw error }
            }
        }
    }
}
