// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

struct BucketFormatTests {
    private let bucket: TemporaryBucket
    private let store: DirectoryObjectStore
    private let key = ObjectKey("FORMAT")

    init() throws {
        bucket = try TemporaryBucket()
        store = try bucket.openStore()
    }

    /// Knows formats up to 1, written as one byte.
    private func judge(_ bytes: [UInt8]) -> ObjectStoreError.Refusal? {
        guard bytes.count == 1 else { return .unreadableFormat(key) }
        return bytes[0] > 1 ? .newerFormat(found: Int(bytes[0]), supported: 1) : nil
    }

    @Test func aNewBucketGetsTheMarker() async throws {
        try await store.claimFormat(key, marker: [1], judge: judge)
        #expect(try await store.get(key).bytes == [1])
        try await store.claimFormat(key, marker: [1], judge: judge)
    }

    @Test func aBucketOfANewerFormatIsRefusedAndLeftAsItIs() async throws {
        _ = try await store.put(key, [7], .absent)
        let error = await #expect(throws: ObjectStoreError.self) {
            try await store.claimFormat(key, marker: [1], judge: judge)
        }
        #expect(error == .refused(.newerFormat(found: 7, supported: 1)))
        #expect(error?.description.contains("newer version of Sluice") == true)
        #expect(try await store.get(key).bytes == [7])
    }

    @Test func aDamagedMarkerIsNotReplaced() async throws {
        _ = try await store.put(key, [], .absent)
        await #expect(throws: ObjectStoreError.refused(.unreadableFormat(key))) {
            try await store.claimFormat(key, marker: [1], judge: judge)
        }
        #expect(try await store.get(key).bytes.isEmpty)
    }

    @Test func aMarkerThatWasDamagedOnTheWayIsReadAgain() async throws {
        _ = try await store.put(key, [1], .absent)
        var rates = FaultyObjectStore.Rates()
        rates.shortBody = 0.1
        let faulty = FaultyObjectStore(store, seed: 5, rates: rates)
        for _ in 0..<50 { try await faulty.claimFormat(key, marker: [1], judge: judge) }
        #expect(faulty.faultCount > 0)
    }

    @Test func aWriteOfItsOwnThatNobodyConfirmedCounts() async throws {
        try await UnheardWrites(store: store).claimFormat(key, marker: [1], judge: judge)
        #expect(try await store.get(key).bytes == [1])
    }

    @Test func anUnreachableBucketIsNotTakenForANewOne() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 1
        let faulty = FaultyObjectStore(store, seed: 1, rates: rates)
        await #expect(throws: ObjectStoreError.self) { try await faulty.claimFormat(key, marker: [1], judge: judge) }
        await #expect(throws: ObjectStoreError.notFound(key)) { try await store.get(key) }
    }
}

/// Stores what it is given and never says so.
private struct UnheardWrites: ObjectStore {
    let store: DirectoryObjectStore
    var location: String { store.location }

    func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        _ = try await store.put(key, bytes, precondition)
        throw .ambiguous(key, .replyLost)
    }
    func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents { try await store.get(key) }
    func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        try await store.getRange(key, byteOffset: byteOffset, byteCount: byteCount)
    }
    func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        try await store.byteCount(of: key)
    }
    func delete(_ key: ObjectKey) async throws(ObjectStoreError) { try await store.delete(key) }
    func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage {
        try await store.list(prefix: prefix, after: after, limit: limit)
    }
}
