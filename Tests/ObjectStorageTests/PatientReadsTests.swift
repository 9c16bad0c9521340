// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

struct PatientReadsTests {
    private static let policy = RetryPolicy(
        firstPause: .milliseconds(1), maximumPause: .milliseconds(2), deadline: .seconds(5))

    @Test func readsGetThroughFailuresAndDamage() async throws {
        let bucket = try TemporaryBucket()
        let key = ObjectKey("folder/key")
        _ = try await bucket.openStore().put(key, Array(0..<100), .absent)
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 0.3
        rates.shortBody = 0.1
        let faulty = FaultyObjectStore(try bucket.openStore(), seed: 3, rates: rates)
        let store = PatientReads(faulty, policy: Self.policy)
        for _ in 0..<50 {
            #expect(try await store.get(key).bytes.count == 100)
            #expect(try await store.getRange(key, byteOffset: 10, byteCount: 5) == Array(10..<15))
            #expect(try await store.byteCount(of: key) == 100)
            #expect(try await store.list(prefix: "folder/", after: nil, limit: 5).keys == [key])
        }
        #expect(faulty.faultCount > 50)
    }

    @Test func lastingDamageAndWritesArePassedOn() async throws {
        let bucket = try TemporaryBucket()
        var rates = FaultyObjectStore.Rates()
        rates.shortBody = 1
        let key = ObjectKey("key")
        let faulty = FaultyObjectStore(try bucket.openStore(), seed: 3, rates: rates)
        let store = PatientReads(faulty, policy: Self.policy)
        await #expect(throws: ObjectStoreError.corrupt(key, .short(expected: 4096, found: 17))) {
            try await store.get(key)
        }
        rates.shortBody = 0
        rates.lostReply = 1
        faulty.setRates(rates)
        await #expect(throws: ObjectStoreError.ambiguous(key, .replyLost)) { try await store.put(key, [1], .absent) }
    }
}
