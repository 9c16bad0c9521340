// SPDX-License-Identifier: Apache-2.0
package import ObjectStorage
import ObjectStoreConformance
package import TestSupport
import Testing

/// Every store of ours against the one list of behaviours.
struct ObjectStoreConformanceTests {
    @Test(arguments: ConformanceBehaviour.all)
    func directoryBucket(_ behaviour: ConformanceBehaviour) async throws {
        try await behaviour.check(TemporaryBucket())
    }

    @Test(arguments: ConformanceBehaviour.all)
    func directoryBucketBelowAPrefix(_ behaviour: ConformanceBehaviour) async throws {
        let bucket = try TemporaryBucket(prefix: "gateways/one")
        try bucket.plant("not-ours")
        try await behaviour.check(bucket)
    }
}

extension TemporaryBucket: BucketFixture {
    package func open() async throws -> any ObjectStore { try openStore() }
}
