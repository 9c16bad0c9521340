// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Wire

extension ConformanceBehaviour {
    static let conditions: [ConformanceBehaviour] = [
        ConformanceBehaviour("creates only what is not there") { bucket in
            let store = try await bucket.open()
            let other = try await bucket.open()
            let key = ObjectKey("once")
            _ = try await store.put(key, [1], .absent)
            for handle in [store, other] {
                try await requireFailure("creating again", { $0 == .preconditionFailed(key) }) {
                    () throws(ObjectStoreError) in _ = try await handle.put(key, [2], .absent)
                }
            }
            try require(try await store.get(key).bytes == [1], "a refused create changed the object")
        },
        ConformanceBehaviour("replaces only the version that is named") { bucket in
            let store = try await bucket.open()
            let other = try await bucket.open()
            let key = ObjectKey("volumes/one/HEAD")
            let first = try await store.put(key, [1], .absent)
            let second = try await other.put(key, [2], .matches(first))
            for tag in [first, EntityTag("no such tag"), EntityTag("")] {
                try await requireFailure("replacing \(tag)", { $0 == .preconditionFailed(key) }) {
                    () throws(ObjectStoreError) in _ = try await store.put(key, [3], .matches(tag))
                }
            }
            try require(try await store.get(key) == ObjectContents(bytes: [2], tag: second), "it was changed")
            _ = try await store.put(key, [4], .matches(second))
            try require(try await other.get(key).bytes == [4], "the replacement is not there")
        },
        ConformanceBehaviour("never creates under a condition that names a version") { bucket in
            let store = try await bucket.open()
            let key = ObjectKey("gone")
            let tag = try await store.put(key, [1], .absent)
            try await store.delete(key)
            try await requireFailure("replacing what is gone", isAbsent(key)) { () throws(ObjectStoreError) in
                _ = try await store.put(key, [2], .matches(tag))
            }
            try await requireFailure("get", { $0 == .notFound(key) }) { () throws(ObjectStoreError) in
                _ = try await store.get(key)
            }
        },
        ConformanceBehaviour("refuses a tag that an unconditional write has made stale") { bucket in
            let store = try await bucket.open()
            let other = try await bucket.open()
            let key = ObjectKey("overwritten")
            let tag = try await store.put(key, [1], .absent)
            _ = try await other.put(key, [2], .none)
            try await requireFailure("replacing", { $0 == .preconditionFailed(key) }) { () throws(ObjectStoreError) in
                _ = try await store.put(key, [3], .matches(tag))
            }
        },
        ConformanceBehaviour("accepts the tag that a read gave") { bucket in
            let store = try await bucket.open()
            let key = ObjectKey("read-modify-write")
            _ = try await store.put(key, [0], .absent)
            for number in 1...20 as ClosedRange<UInt8> {
                let found = try await store.get(key)
                try require(found.bytes == [number - 1], "version \(number - 1) is missing")
                _ = try await store.put(key, [number], .matches(found.tag))
            }
        },
        ConformanceBehaviour("passes the consistency probe, which leaves nothing behind") { bucket in
            let store = try await bucket.open()
            let findings = try await ConsistencyProbe(store, time: 1, run: 2).run()
            try require(findings.isEmpty, "the probe found: \(findings)")
            let left = try await store.list(prefix: "", after: nil, limit: 10).keys
            try require(left.isEmpty, "the probe left \(left)")
        },
    ]

    static let races: [ConformanceBehaviour] = [
        ConformanceBehaviour("lets one of many creators win, through two handles") { bucket in
            let handles = [try await bucket.open(), try await bucket.open()]
            for round in 0..<8 {
                let key = ObjectKey("race/create-\(round)")
                let outcome = try await race(of: 16) { number throws(ObjectStoreError) in
                    _ = try await handles[number % 2].put(key, [UInt8(number)], .absent)
                }
                try require(
                    outcome.winners.count < 2, "\(outcome.winners.count) creators of \(key) were told that they won")
                do {
                    let found = try await handles[0].get(key).bytes
                    try require(outcome.winnerMayBe(found.first), "the bytes of a loser are stored")
                } catch let error as ObjectStoreError {
                    try require(error == .notFound(key) && outcome.isOpen, "nobody has created \(key): \(error)")
                }
            }
        },
        ConformanceBehaviour("lets one of many replacers win, through two handles") { bucket in
            let handles = [try await bucket.open(), try await bucket.open()]
            let key = ObjectKey("race/HEAD")
            var tag = try await handles[0].put(key, [255, 255], .absent)
            for round in 0..<8 as Range<UInt8> {
                let current = tag
                let outcome = try await race(of: 16) { number throws(ObjectStoreError) in
                    _ = try await handles[number % 2].put(key, [round, UInt8(number)], .matches(current))
                }
                try require(outcome.winners.count < 2, "\(outcome.winners.count) replacers were told that they won")
                let found = try await handles[1].get(key)
                if found.tag == current, outcome.isOpen { continue }
                try require(
                    found.bytes.first == round && outcome.winnerMayBe(found.bytes.last),
                    "the bytes of a loser are stored")
                tag = found.tag
            }
        },
        ConformanceBehaviour("loses no increment of a counter that two handles replace") { bucket in
            let handles = [try await bucket.open(), try await bucket.open()]
            let key = ObjectKey("counter")
            _ = try await handles[0].put(key, [], .absent)
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    group.addTask {
                        for round in 0..<10 {
                            try await increment(key, by: UInt8(number * 10 + round), in: handles[number % 2])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let found = try await handles[1].get(key).bytes
            try require(found.sorted() == Array(0..<80), "80 increments made \(found)")
        },
        ConformanceBehaviour("never shows part of an object while it is replaced") { bucket in
            let writer = try await bucket.open()
            let reader = try await bucket.open()
            let key = ObjectKey("whole")
            let versions = (0..<4).map { pattern(50_000 + 10_000 * $0, seed: $0) }
            _ = try await writer.put(key, versions[0], .absent)
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for number in 1...40 { _ = try await writer.put(key, versions[number % 4], .none) }
                }
                for _ in 0..<2 {
                    group.addTask {
                        for _ in 0..<60 {
                            let found = try await reader.get(key).bytes
                            try require(versions.contains(found), "a mixture of \(found.count) bytes was read")
                        }
                    }
                }
                try await group.waitForAll()
            }
        },
    ]
}

/// 404 is what AWS answers; a store may as well say that the condition failed.
private func isAbsent(_ key: ObjectKey) -> (ObjectStoreError) -> Bool {
    { $0 == .notFound(key) || $0 == .preconditionFailed(key) }
}

/// The counter is the list of those who raised it, so that each finds out whether an increment of unknown outcome is
/// in it.
private func increment(_ key: ObjectKey, by number: UInt8, in store: any ObjectStore) async throws {
    while true {
        let found = try await store.get(key)
        if found.bytes.contains(number) { return }
        do {
            _ = try await store.put(key, found.bytes + [number], .matches(found.tag))
            return
        } catch {
            switch error {
            case .preconditionFailed, .conflict, .ambiguous, .unavailable: continue
            default: throw error
            }
        }
    }
}

/// How a race ended, as its contenders were told.
private struct RaceOutcome: Sendable {
    var winners: [Int] = []
    /// Ceph's RGW answers some of many writers of one object with 500: they look at the object to know.
    var unsure: [Int] = []

    /// Perhaps nobody won.
    var isOpen: Bool { winners.isEmpty && !unsure.isEmpty }

    func winnerMayBe(_ number: UInt8?) -> Bool {
        number.map { (winners.isEmpty ? unsure : winners).contains(Int($0)) } ?? false
    }
}

/// All write at once.
private func race(
    of count: Int, _ write: @escaping @Sendable (Int) async throws(ObjectStoreError) -> Void
) async throws -> RaceOutcome {
    try await withThrowingTaskGroup(of: (Int, isWinner: Bool?).self) { group in
        for number in 0..<count { group.addTask { (number, try await contend(number, write)) } }
        return try await group.reduce(into: RaceOutcome()) { outcome, result in
            switch result.isWinner {
            case true?: outcome.winners.append(result.0)
            case nil: outcome.unsure.append(result.0)
            case false?: break
            }
        }
    }
}

/// - Returns: nil if the store did not say.
private func contend(
    _ number: Int, _ write: @Sendable (Int) async throws(ObjectStoreError) -> Void
) async throws -> Bool? {
    while true {
        do throws(ObjectStoreError) {
            try await write(number)
            return true
        } catch {
            switch error {
            case .preconditionFailed: return false
            case .conflict, .unavailable: continue
            case .ambiguous: return nil
            default: throw error
            }
        }
    }
}
