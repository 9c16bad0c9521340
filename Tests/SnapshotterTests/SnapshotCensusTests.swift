// SPDX-License-Identifier: Apache-2.0
import Engine
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
        let upkeep = CatalogueUpkeep(
            catalogue: SnapshotCatalogue(store, policy: SnapshotHarness.policy),
            recoveryPoints: RecoveryPoints(store, policy: SnapshotHarness.policy),
            owners: { () throws(BusFault) in [MemoryOwner()] }, wallMilliseconds: { 1 })
        return SnapshotCensus(upkeep, health: health, result: result)
    }

    /// What is settled is read once in a while, what may still change each time.
    @Test func aCountIsCheap() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        func put(_ number: UInt64, _ state: SnapshotRecord.State) async throws {
            var record = SnapshotRecord(
                id: SnapshotID(rawValue: number), head: MemoryOwner.head(), description: "", createdMilliseconds: 1,
                state: state)
            if state == .pending { (record.head, record.commitNumber) = (nil, 0) }
            let bytes = try SnapshotFormat.encode(record)
            _ = try await store.put(BucketLayout.snapshot(record.id), bytes, .none)
        }
        for number in 1...20 as ClosedRange<UInt64> { try await put(number, number < 20 ? .completed : .pending) }
        let (meter, result) = (RequestMeter(), SnapshotCensus.Result())
        let census = census(MeteredObjectStore(store, meter: meter), ServiceHealth(), result)
        func gets() -> UInt64 { meter.totals.requests[.get]?[.success] ?? 0 }
        #expect(await census.count() && gets() == 20)
        #expect(await census.count() && gets() == 21)
        try await put(20, .completed)
        try await put(21, .completed)
        #expect(await census.count() && gets() == 23)
        #expect(await census.count() && gets() == 23)
        #expect(meter.totals.requests[.list]?[.success] == 4)
        #expect(result.metricFamilies.first?.samples.map(\.value) == [0, 21, 0, 0])
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
