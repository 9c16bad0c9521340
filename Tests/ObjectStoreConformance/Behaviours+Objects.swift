// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Wire

extension ConformanceBehaviour {
    static let objects: [ConformanceBehaviour] = [
        ConformanceBehaviour("returns the bytes it was given") { bucket in
            let store = try await bucket.open()
            for byteCount in [0, 1, 31, 32, 4095, 4096, 4097, 300_000] {
                let key = ObjectKey("objects/of-\(byteCount)")
                let bytes = pattern(byteCount, seed: byteCount)
                let tag = try await store.put(key, bytes, .absent)
                let found = try await store.get(key)
                try require(found.bytes == bytes, "\(byteCount) bytes came back changed")
                try require(found.tag == tag, "GET names another version than PUT did")
                let size = try await store.byteCount(of: key)
                try require(size == UInt64(byteCount), "the size of \(byteCount) bytes is given as \(size)")
            }
        },
        ConformanceBehaviour("keeps a pack of 16 MiB whole") { bucket in
            let store = try await bucket.open()
            var bytes = [UInt8](repeating: 0x5a, count: 16 << 20)
            bytes.replaceSubrange(5_000_000..<5_000_100, with: pattern(100, seed: 5))
            _ = try await store.put(ObjectKey("pack"), bytes, .absent)
            try require(try await store.get(ObjectKey("pack")).bytes == bytes, "the object came back changed")
        },
        ConformanceBehaviour("says notFound for what is not there") { bucket in
            let store = try await bucket.open()
            let key = ObjectKey("nothing/here")
            try await requireFailure("get", { $0 == .notFound(key) }) { () throws(ObjectStoreError) in
                _ = try await store.get(key)
            }
            try await requireFailure("getRange", { $0 == .notFound(key) }) { () throws(ObjectStoreError) in
                _ = try await store.getRange(key, byteOffset: 0, byteCount: 1)
            }
            try await requireFailure("byteCount", { $0 == .notFound(key) }) { () throws(ObjectStoreError) in
                _ = try await store.byteCount(of: key)
            }
        },
        ConformanceBehaviour("shows a folder of other objects as no object") { bucket in
            let store = try await bucket.open()
            _ = try await store.put(ObjectKey("volumes/one/HEAD"), [1], .absent)
            let key = ObjectKey("volumes/one")
            try await requireFailure("get", { $0 == .notFound(key) }) { () throws(ObjectStoreError) in
                _ = try await store.get(key)
            }
            try await store.delete(key)
            try require(try await store.get(ObjectKey("volumes/one/HEAD")).bytes == [1], "delete took a folder away")
        },
        ConformanceBehaviour("shows a new version at once, through every handle") { bucket in
            let writer = try await bucket.open()
            let reader = try await bucket.open()
            let key = ObjectKey("volumes/one/HEAD")
            for version in 0..<50 {
                let bytes = pattern(100 + version, seed: version)
                let tag = try await writer.put(key, bytes, .none)
                let found = try await reader.get(key)
                try require(found.bytes == bytes, "version \(version) was not there right after its PUT")
                try require(found.tag == tag, "the handles name version \(version) differently")
            }
        },
        ConformanceBehaviour("gives different contents different tags") { bucket in
            let store = try await bucket.open()
            var tags: Set<EntityTag> = []
            for number in 0..<200 {
                tags.insert(try await store.put(ObjectKey("tagged"), pattern(64, seed: number), .none))
            }
            try require(tags.count == 200, "200 versions have \(tags.count) tags")
        },
        ConformanceBehaviour("forgets a deleted object, and does not mind deleting a missing one") { bucket in
            let store = try await bucket.open()
            let other = try await bucket.open()
            let key = ObjectKey("a/b/c")
            _ = try await store.put(key, [1, 2, 3], .absent)
            try await store.delete(key)
            try await requireFailure("get", { $0 == .notFound(key) }) { () throws(ObjectStoreError) in
                _ = try await other.get(key)
            }
            try await store.delete(key)
            try await store.delete(ObjectKey("never/was/there"))
            _ = try await other.put(key, [4], .absent)
            try require(try await store.get(key).bytes == [4], "the name cannot be used again")
        },
    ]

    static let ranges: [ConformanceBehaviour] = [
        ConformanceBehaviour("returns exactly the range asked for") { bucket in
            let store = try await bucket.open()
            let bytes = pattern(10_000, seed: 9)
            let key = ObjectKey("ranged")
            _ = try await store.put(key, bytes, .absent)
            for (offset, count) in [(0, 1), (0, 10_000), (1, 9_999), (4096, 4096), (9_999, 1), (123, 4_567)] {
                let part = try await store.getRange(key, byteOffset: UInt64(offset), byteCount: count)
                try require(part == Array(bytes[offset..<offset + count]), "\(count) bytes at \(offset) are others")
            }
            let nothing = try await store.getRange(key, byteOffset: 10, byteCount: 0)
            try require(nothing.isEmpty, "an empty range is not empty")
        },
        ConformanceBehaviour("never passes a short range on") { bucket in
            let store = try await bucket.open()
            let key = ObjectKey("short")
            _ = try await store.put(key, pattern(1_000, seed: 1), .absent)
            for (offset, count) in [(999, 2), (0, 1_001), (1_000, 1), (5_000, 10)] as [(UInt64, Int)] {
                let isShort: (ObjectStoreError) -> Bool = {
                    if case .corrupt(key, .short(expected: UInt64(count), found: _)) = $0 { true } else { false }
                }
                try await requireFailure("\(count) at \(offset)", isShort) { () throws(ObjectStoreError) in
                    _ = try await store.getRange(key, byteOffset: offset, byteCount: count)
                }
            }
        },
    ]

    static let names: [ConformanceBehaviour] = [
        ConformanceBehaviour("refuses names that could leave the bucket or that some store cannot hold") { bucket in
            let store = try await bucket.open()
            let names = [
                "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a b", "ä", "a\u{0}b", "a\\b", "a*",
                ".sluice-tmp", ".sluice-tmp/x", "a/.sluice-tmp/b", String(repeating: "a", count: 256),
                String(repeating: "abcdefg/", count: 128) + "a",
            ]
            for name in names {
                let isInvalid: (ObjectStoreError) -> Bool = {
                    if case .invalidKey(name, _) = $0 { true } else { false }
                }
                let key = ObjectKey(name)
                try await requireFailure("put '\(name)'", isInvalid) { () throws(ObjectStoreError) in
                    _ = try await store.put(key, [1], .none)
                }
                try await requireFailure("get '\(name)'", isInvalid) { () throws(ObjectStoreError) in
                    _ = try await store.get(key)
                }
                try await requireFailure("delete '\(name)'", isInvalid) { () throws(ObjectStoreError) in
                    try await store.delete(key)
                }
            }
            try require(try await store.list(prefix: "", after: nil, limit: 10).keys.isEmpty, "something was stored")
        },
        ConformanceBehaviour("holds long and dotted names") { bucket in
            let store = try await bucket.open()
            let names = [
                "...", "a..b", ".hidden", "-", "_", "A.b-C_9", String(repeating: "x", count: 255),
                (0..<3).map { _ in String(repeating: "y", count: 255) }.joined(separator: "/"),
            ]
            for name in names { _ = try await store.put(ObjectKey(name), Array(name.utf8), .absent) }
            for name in names {
                try require(try await store.get(ObjectKey(name)).bytes == Array(name.utf8), "'\(name)' is another")
            }
        },
    ]
}

/// Bytes that differ at every offset and from seed to seed.
func pattern(_ byteCount: Int, seed: Int) -> [UInt8] {
    var state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    return (0..<byteCount).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state &>> 56)
    }
}
