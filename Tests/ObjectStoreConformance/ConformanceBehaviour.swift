// SPDX-License-Identifier: Apache-2.0
package import ObjectStorage

/// Gives a behaviour the bucket it is tried on.
package protocol BucketFixture: Sendable {
    /// A further, independent handle on one and the same bucket, which starts empty for each fixture. Two handles must
    /// share nothing but the bucket, as two processes would.
    func open() async throws -> any ObjectStore
}

/// One thing that every object store must do. Stores run all of `ConformanceBehaviour.all`, each on a fresh bucket.
package struct ConformanceBehaviour: Sendable, CustomStringConvertible {
    /// A sentence about the store.
    package let description: String
    package let check: @Sendable (any BucketFixture) async throws -> Void

    init(_ description: String, _ check: @escaping @Sendable (any BucketFixture) async throws -> Void) {
        self.description = description
        self.check = check
    }

    package static let all: [ConformanceBehaviour] =
        Self.objects + Self.conditions + Self.ranges + Self.names + Self.listings + Self.races
}

/// What a store did that no store may do.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

func require(_ condition: Bool, _ explanation: @autoclosure () -> String) throws {
    if !condition { throw ConformanceFailure(description: explanation()) }
}

/// The call must fail in a way that `isExpected` knows.
func requireFailure(
    _ what: String, _ isExpected: (ObjectStoreError) -> Bool, of call: () async throws(ObjectStoreError) -> Void
) async throws {
    do {
        try await call()
    } catch {
        try require(isExpected(error), "\(what) failed with another error: \(error)")
        return
    }
    throw ConformanceFailure(description: "\(what) succeeded")
}
