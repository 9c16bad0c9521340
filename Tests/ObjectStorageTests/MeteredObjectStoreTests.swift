// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

struct MeteredObjectStoreTests {
    @Test func countsRequestsBytesAndOutcomes() async throws {
        let bucket = try TemporaryBucket()
        let meter = RequestMeter()
        let store = MeteredObjectStore(try bucket.openStore(), meter: meter)
        let key = ObjectKey("a")
        _ = try await store.put(key, [UInt8](repeating: 1, count: 100), .absent)
        _ = try? await store.put(key, [2], .absent)
        _ = try? await store.put(key, [2], .matches(EntityTag("other")))
        _ = try await store.get(key)
        _ = try await store.getRange(key, byteOffset: 10, byteCount: 7)
        _ = try? await store.getRange(key, byteOffset: 99, byteCount: 2)
        _ = try await store.byteCount(of: key)
        _ = try await store.list(prefix: "", after: nil, limit: 1)
        try await store.delete(key)
        _ = try? await store.get(key)
        let totals = meter.totals
        #expect(totals.requests[.put] == [.success: 1, .preconditionFailed: 2])
        #expect(totals.requests[.get] == [.success: 1, .notFound: 1])
        #expect(totals.requests[.range] == [.success: 1, .corrupt: 1])
        #expect(totals.requests[.size] == [.success: 1])
        #expect(totals.requests[.list] == [.success: 1])
        #expect(totals.requests[.delete] == [.success: 1])
        // A refused upload moved nothing into the bucket.
        #expect(totals.uploadedByteCount == 100)
        #expect(totals.downloadedByteCount == 107)
        #expect(totals.latencies[.put]?.count == 3)
    }
}
