// SPDX-License-Identifier: Apache-2.0
import Messages
import ObjectStorage
import ServiceKit
import TestSupport
import Testing
import Wire

struct ObjectStoreMetricsTests {
    @Test func showsWhatHappenedAndNothingElse() async throws {
        let bucket = try TemporaryBucket()
        let meter = RequestMeter()
        let store = MeteredObjectStore(try bucket.openStore(), meter: meter)
        _ = try await store.put(ObjectKey("a"), [1, 2, 3], .absent)
        _ = try? await store.get(ObjectKey("b"))
        let families = Dictionary(
            uniqueKeysWithValues: ObjectStoreMetrics.families(meter.totals).map { ($0.name, $0) })
        #expect(
            families["sluice_object_store_requests_total"]?.samples == [
                .init(labels: ["operation": "put", "outcome": "success"], value: 1),
                .init(labels: ["operation": "get", "outcome": "notFound"], value: 1),
            ])
        #expect(families["sluice_object_store_uploaded_bytes_total"]?.samples.map(\.value) == [3])
        #expect(families["sluice_object_store_downloaded_bytes_total"]?.samples.map(\.value) == [0])
        let seconds = families["sluice_object_store_request_seconds"]?.samples ?? []
        #expect(seconds.count == RequestMeter.Operation.allCases.count)
        let puts = seconds.first { $0.labels == ["operation": "put"] }
        #expect(puts.map { $0.value > 0 && $0.bucketCounts?.reduce(0, +) == 1 } == true)
    }
}
