// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

/// The faults that other tests rest on.
struct FaultyObjectStoreTests {
    private let bucket: TemporaryBucket

    init() throws { bucket = try TemporaryBucket() }

    private func store(_ set: (inout FaultyObjectStore.Rates) -> Void) throws -> FaultyObjectStore {
        var rates = FaultyObjectStore.Rates()
        set(&rates)
        return FaultyObjectStore(try bucket.openStore(), seed: 11, rates: rates)
    }

    @Test func aLostReplyHidesASuccess() async throws {
        let store = try store { $0.lostReply = 1 }
        await #expect(throws: ObjectStoreError.ambiguous(ObjectKey("a"), .replyLost)) {
            try await store.put(ObjectKey("a"), [1], .absent)
        }
        store.setRates(.init())
        #expect(try await store.get(ObjectKey("a")).bytes == [1])
    }

    @Test func aLostRequestChangesNothing() async throws {
        let store = try store { $0.lostRequest = 1 }
        await #expect(throws: ObjectStoreError.self) { try await store.put(ObjectKey("a"), [1], .absent) }
        store.setRates(.init())
        await #expect(throws: ObjectStoreError.notFound(ObjectKey("a"))) { try await store.get(ObjectKey("a")) }
    }

    @Test func oneSeedGivesOneSchedule() async throws {
        var runs: [[Bool]] = []
        for _ in 0..<2 {
            let store = try store { $0.unavailable = 0.5 }
            var outcomes: [Bool] = []
            for _ in 0..<64 {
                let failed: Bool
                do {
                    _ = try await store.put(ObjectKey("a"), [1], .none)
                    failed = false
                } catch {
                    failed = error == .unavailable(.overloaded())
                }
                outcomes.append(failed)
            }
            #expect(store.faultCount == outcomes.count { $0 })
            runs.append(outcomes)
        }
        #expect(runs[0] == runs[1])
        #expect(runs[0].contains(true) && runs[0].contains(false))
    }
}
