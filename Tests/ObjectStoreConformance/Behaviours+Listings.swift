// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Wire

extension ConformanceBehaviour {
    static let listings: [ConformanceBehaviour] = [
        ConformanceBehaviour("lists keys of any folders, those of one folder in byte order") { bucket in
            let store = try await bucket.open()
            let names = ["a", "a-b", "a.b/c", "b/c", "b/c-d", "b-c", "b.", "b0/a", "B/z", "_", "-", "9"]
            for name in names { _ = try await store.put(ObjectKey(name), [], .absent) }
            var found: [String] = []
            for try await key in store.keys(prefix: "") { found.append(key.name) }
            try require(found.sorted() == names.sorted(), "what was stored is listed as \(found)")
            for folder in ["", "b/"] {
                let here = found.filter { $0.hasPrefix(folder) && !$0.dropFirst(folder.count).contains("/") }
                try require(here == here.sorted(), "folder '\(folder)' is listed as \(here)")
            }
        },
        ConformanceBehaviour("lists what begins with a prefix, and nothing else") { bucket in
            let store = try await bucket.open()
            for name in ["snap", "snapshots/1", "snapshots/2", "snapshots-old/3", "volumes/a/HEAD", "volumes/ab/HEAD"] {
                _ = try await store.put(ObjectKey(name), [7], .absent)
            }
            try await requireListing(store, prefix: "snapshots/", ["snapshots/1", "snapshots/2"])
            try await requireListing(store, prefix: "volumes/a", ["volumes/a/HEAD", "volumes/ab/HEAD"])
            try await requireListing(store, prefix: "volumes/a/", ["volumes/a/HEAD"])
            try await requireListing(store, prefix: "volumes/a/HEAD", ["volumes/a/HEAD"])
            try await requireListing(store, prefix: "nothing/", [])
        },
        ConformanceBehaviour("lists every key once, page by page") { bucket in
            let store = try await bucket.open()
            var names: [String] = []
            for outer in 0..<5 {
                names.append("list/\(outer)")
                for inner in 0..<7 { names.append("list/\(outer)-folder/\(inner)") }
            }
            for name in names { _ = try await store.put(ObjectKey(name), [], .absent) }
            names.sort { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
            for limit in [1, 2, 3, 7, 39, 40, 41, 1000] {
                var found: [String] = []
                for try await key in ObjectListing(store, prefix: "list/", pageLimit: limit) { found.append(key.name) }
                try require(found == names, "pages of \(limit) give \(found.count) keys of \(names.count)")
            }
            let page = try await store.list(prefix: "list/", after: ObjectKey("list/3-folder/6"), limit: 100)
            try require(page.isLast && page.keys.first == ObjectKey("list/4"), "a page starts in the wrong place")
        },
        ConformanceBehaviour("goes on behind a folder that was listed in part") { bucket in
            let store = try await bucket.open()
            let folders = ["vol-1", "vol-2", "vol-3"].map { "volumes/" + $0 }
            for folder in folders {
                for name in ["HEAD", "data/0/a", "data/1/b", "map/0/c"] {
                    _ = try await store.put(ObjectKey("\(folder)/\(name)"), [], .absent)
                }
            }
            for (folder, next) in zip(folders, folders.dropFirst()) {
                let page = try await store.list(prefix: "volumes/", after: ObjectKey(folder + "/zz"), limit: 2)
                try require(page.keys.first == ObjectKey(next + "/HEAD"), "behind \(folder) there is \(page.keys)")
            }
            let end = try await store.list(prefix: "volumes/", after: ObjectKey("volumes/vol-3/zz"), limit: 2)
            try require(end.isLast && end.keys.isEmpty, "behind everything there is \(end.keys)")
        },
        ConformanceBehaviour("lists an object at once when it is there, and no longer when it is gone") { bucket in
            let writer = try await bucket.open()
            let reader = try await bucket.open()
            let key = ObjectKey("snapshots/one")
            _ = try await writer.put(key, [1], .absent)
            try await requireListing(reader, prefix: "snapshots/", ["snapshots/one"])
            try await writer.delete(key)
            try await requireListing(reader, prefix: "snapshots/", [])
        },
        ConformanceBehaviour("refuses a prefix that no key can have") { bucket in
            let store = try await bucket.open()
            for prefix in ["/", "../", "a//b", "a b", ".sluice-tmp/"] {
                let isInvalid: (ObjectStoreError) -> Bool = {
                    if case .invalidKey(prefix, _) = $0 { true } else { false }
                }
                try await requireFailure("list '\(prefix)'", isInvalid) { () throws(ObjectStoreError) in
                    _ = try await store.list(prefix: prefix, after: nil, limit: 1)
                }
            }
        },
    ]
}

private func requireListing(_ store: any ObjectStore, prefix: String, _ names: [String]) async throws {
    var found: [String] = []
    for try await key in store.keys(prefix: prefix) { found.append(key.name) }
    try require(found == names, "'\(prefix)' lists \(found), not \(names)")
}
