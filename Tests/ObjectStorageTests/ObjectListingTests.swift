// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

struct ObjectListingTests {
    private let bucket: TemporaryBucket

    init() async throws {
        bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        for folder in 1...6 {
            for number in 0..<40 {
                _ = try await store.put(ObjectKey("volumes/\(folder)/data/\(number % 4)/\(number)"), [], .none)
            }
        }
        for name in ["volumes/loose", "snapshots/1/a", "volumes/6/HEAD"] {
            _ = try await store.put(ObjectKey(name), [], .none)
        }
    }

    @Test func foldersAreFoundWithoutListingWhatIsInThem() async throws {
        let meter = RequestMeter()
        let store = MeteredObjectStore(try bucket.openStore(), meter: meter)
        #expect(try await store.folders(below: "volumes/", pageLimit: 10) == ["1", "2", "3", "4", "5", "6"])
        #expect(meter.totals.requests[.list]?[.success] == 7)
        #expect(try await store.folders(below: "volumes/") == ["1", "2", "3", "4", "5", "6"])
        #expect(try await store.folders(below: "nothing/").isEmpty)
    }

    @Test func aStoreThatBeginsFromTheStartIsRefused() async throws {
        let store = FaultyObjectStore(try bucket.openStore(), seed: 1, breakage: .listsFromTheStart)
        let refusal = ObjectStoreError.refused(.unreliable([.listedAgain]))
        await #expect(throws: refusal) {
            for try await _ in ObjectListing(store, prefix: "volumes/", pageLimit: 10) {}
        }
        await #expect(throws: refusal) { try await store.folders(below: "volumes/", pageLimit: 10) }
    }
}
