// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

/// Through the entity tags, which show the hash: `<XXH64>-<byte count>`.
struct ContentHashTests {
    private func hash(_ bytes: [UInt8]) async throws -> String {
        let bucket = try TemporaryBucket()
        return try await bucket.openStore().put(ObjectKey("hashed"), bytes, .absent).value
    }

    @Test(arguments: [
        ("", "ef46db3751d8e999-0"), ("a", "d24ec4f1a98c6e5b-1"), ("abc", "44bc2cf5ad770999-3"),
        ("Nobody inspects the spammish repetition", "fbcea83c8a378bf1-27"),
    ])
    func givesThePublishedVectors(_ text: String, _ tag: String) async throws {
        #expect(try await hash(Array(text.utf8)) == tag)
    }

    @Test func seesEveryBitOfEveryLength() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        let key = ObjectKey("hashed")
        var tags: Set<EntityTag> = []
        var count = 0
        for byteCount in [1, 4, 7, 8, 12, 31, 32, 33, 47, 64] {
            let bytes = [UInt8](repeating: 0x5a, count: byteCount)
            tags.insert(try await store.put(key, bytes, .none))
            for index in [0, byteCount / 2, byteCount - 1] as Set {
                var flipped = bytes
                flipped[index] ^= 0x10
                tags.insert(try await store.put(key, flipped, .none))
                count += 1
            }
            count += 1
        }
        #expect(tags.count == count)
    }
}
