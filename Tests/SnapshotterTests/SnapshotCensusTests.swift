// SPDX-License-Identifier: Apache-2.0
import Messages
import ObjectStorage
import ServiceKit
import Snapshotter
import TestSupport
import Testing
import Wire

struct SnapshotCensusTests {
    private func census(
        _ store: any ObjectStore, _ health: ServiceHealth, _ result: SnapshotCensus.Result
    ) -> SnapshotCensus {
        let catalogue = SnapshotCatalogue(store, policy: SnapshotHarness.policy)
        let service = SnapshotService(
            catalogue: catalogue,
            groups: GroupCatalogue(store, snapshots: catalogue, policy: SnapshotHarness.policy),
            recoveryPoints: RecoveryPoints(store, policy: SnapshotHarness.policy), wallMilliseconds: { 1 },
            owners: { () throws(BusFault) in [MemoryOwner()] })
        return SnapshotCensus(service, health: health, result: result)
    }

    @Test func countsByStateAndSaysThatItIsReady() async throws {
        let bucket = try TemporaryBucket()
        let (health, result) = (ServiceHealth(), SnapshotCensus.Result())
        #expect(result.metricFamilies.isEmpty)
        #expect(await census(try bucket.openStore(), health, result).count())
        #expect(health.current == ServiceHealth.State(isReady: true, detail: "0 snapshots"))
        #expect(result.metricFamilies.first?.samples.map(\.value) == [0, 0, 0, 0])
    }

    @Test func saysWhyTheBucketCannotBeRead() async throws {
        let bucket = try TemporaryBucket()
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 1
        let store = FaultyObjectStore(try bucket.openStore(), seed: 1, rates: rates)
        let (health, result) = (ServiceHealth(), SnapshotCensus.Result())
        let census = census(store, health, result)
        #expect(await !census.count())
        #expect(!health.current.isReady)
        #expect(health.current.detail.contains("did not answer"))
        #expect(result.metricFamilies.isEmpty)
        store.setRates(.init())
        #expect(await census.count())
        #expect(health.current.isReady)
    }
}
