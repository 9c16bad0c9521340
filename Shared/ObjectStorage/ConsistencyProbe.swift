// SPDX-License-Identifier: Apache-2.0
import Wire

/// Finds out whether a store does what Sluice rests on (STORAGE §3): that of many writers with one condition exactly
/// one wins, and that what was written is what is read. It leaves nothing behind. A pass can be luck; a
/// finding is final.
package struct ConsistencyProbe: Sendable {
    /// A promise that was seen broken.
    package enum Finding: Equatable, Sendable {
        case createsWon(Int, of: Int)
        case replacementsWon(Int, of: Int)
        case createdOverExisting
        case staleTagAccepted
        case missingObjectReplaced
        case winnerNotStored
        case wrongRange
        case shortRangeAccepted
        case oldVersionRead(round: Int)
        case deletedObjectRead
        case notListed
    }

    /// Writers in each race.
    package static let contenderCount = 32
    /// A store that answers "conflict" more often than this in a row never decides.
    private static let conflictLimit = 16

    private static let folder = "probes/"
    private static let subjects = ["create", "replace", "condition", "absent", "range", "visible"]

    private let store: any ObjectStore
    private let name: String
    private let roundCount: Int

    /// - Parameters:
    ///   - time: milliseconds since 1970; tells a later run how old this one's objects are.
    ///   - run: another number for each run: two runs must not share objects.
    package init(_ store: any ObjectStore, time: UInt64, run: UInt64, roundCount: Int = 20) {
        self.store = store
        self.name = Self.folder + hexadecimal(time, digits: 16) + "-" + hexadecimal(run, digits: 16)
        self.roundCount = roundCount
    }

    /// Takes away what runs that were killed before `time` have left.
    package static func removeLeftovers(
        in store: any ObjectStore, before time: UInt64
    ) async throws(ObjectStoreError) {
        let end = ObjectKey(folder + hexadecimal(time, digits: 16))
        for try await key in store.keys(prefix: folder) {
            guard key < end else { return }
            try await store.delete(key)
        }
    }

    /// Empty when every promise held.
    /// - Throws: what kept the probe from finding out, such as a missing permission.
    package func run() async throws(ObjectStoreError) -> [Finding] {
        var findings: [Finding] = []
        do {
            findings += try await raceOfCreates()
            findings += try await raceOfReplacements()
            findings += try await conditions()
            findings += try await ranges()
            findings += try await visibility()
        } catch {
            try? await removeAll()
            // A store that breaks its word often gives odd answers as well; the broken word says more, and is final.
            guard findings.isEmpty else { return findings }
            throw error
        }
        try await removeAll()
        return findings
    }

    /// Throws `refused` unless every promise held.
    package func check() async throws(ObjectStoreError) {
        let findings = try await run()
        if !findings.isEmpty { throw .refused(.unreliable(findings)) }
    }

    private func key(_ subject: String) -> ObjectKey { ObjectKey(name + "." + subject) }

    private func body(_ subject: String, _ number: Int) -> [UInt8] { Array("\(name) \(subject) \(number)".utf8) }

    private func removeAll() async throws(ObjectStoreError) {
        for subject in Self.subjects { try await store.delete(key(subject)) }
    }
}

// MARK: - The promises

extension ConsistencyProbe {
    private func raceOfCreates() async throws(ObjectStoreError) -> [Finding] {
        let key = key("create")
        let winners = try await race { number throws(ObjectStoreError) in
            _ = try await store.put(key, body("create", number), .absent)
        }
        guard winners.count == 1 else { return [.createsWon(winners.count, of: Self.contenderCount)] }
        return try await store.get(key).bytes == body("create", winners[0]) ? [] : [.winnerNotStored]
    }

    private func raceOfReplacements() async throws(ObjectStoreError) -> [Finding] {
        let key = key("replace")
        let tag = try await create(key, body("replace", -1))
        let winners = try await race { number throws(ObjectStoreError) in
            _ = try await store.put(key, body("replace", number), .matches(tag))
        }
        guard winners.count == 1 else { return [.replacementsWon(winners.count, of: Self.contenderCount)] }
        return try await store.get(key).bytes == body("replace", winners[0]) ? [] : [.winnerNotStored]
    }

    private func conditions() async throws(ObjectStoreError) -> [Finding] {
        let key = key("condition")
        var findings: [Finding] = []
        let first = try await create(key, body("condition", 1))
        if try await attempt({ () throws(ObjectStoreError) in
            _ = try await store.put(key, body("condition", 2), .absent)
        }) {
            findings.append(.createdOverExisting)
        }
        _ = try await store.put(key, body("condition", 3), .none)
        if try await attempt({ () throws(ObjectStoreError) in
            _ = try await store.put(key, body("condition", 4), .matches(first))
        }) {
            findings.append(.staleTagAccepted)
        }
        if try await attempt({ () throws(ObjectStoreError) in
            _ = try await store.put(self.key("absent"), body("absent", 1), .matches(first))
        }) {
            findings.append(.missingObjectReplaced)
        }
        return findings
    }

    private func ranges() async throws(ObjectStoreError) -> [Finding] {
        let key = key("range")
        let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        _ = try await store.put(key, bytes, .none)
        var findings: [Finding] = []
        do {
            let part = try await store.getRange(key, byteOffset: 1000, byteCount: 777)
            if part != Array(bytes[1000..<1777]) { findings.append(.wrongRange) }
        } catch {
            guard case .corrupt = error else { throw error }
            findings.append(.wrongRange)
        }
        do {
            _ = try await store.getRange(key, byteOffset: 4000, byteCount: 97)
            findings.append(.shortRangeAccepted)
        } catch {
            guard case .corrupt = error else { throw error }
        }
        return findings
    }

    private func visibility() async throws(ObjectStoreError) -> [Finding] {
        let key = key("visible")
        for round in 0..<roundCount {
            _ = try await store.put(key, body("visible", round), .none)
            let found = try await store.get(key).bytes
            guard found == body("visible", round) else { return [.oldVersionRead(round: round)] }
        }
        var listed = false
        for try await found in store.keys(prefix: key.name) where found == key { listed = true }
        try await store.delete(key)
        do {
            _ = try await store.get(key)
            return [.deletedObjectRead]
        } catch {
            guard case .notFound = error else { throw error }
            return listed ? [] : [.notListed]
        }
    }

    /// Creates what a promise is then tried on.
    private func create(_ key: ObjectKey, _ bytes: [UInt8]) async throws(ObjectStoreError) -> EntityTag {
        for _ in 1..<Self.conflictLimit {
            do {
                return try await store.put(key, bytes, .absent)
            } catch {
                guard case .conflict = error else { throw error }
            }
        }
        return try await store.put(key, bytes, .absent)
    }

    /// True if the write was let through, false if its condition was found not to hold.
    private func attempt(
        _ write: () async throws(ObjectStoreError) -> Void
    ) async throws(ObjectStoreError) -> Bool {
        for _ in 0..<Self.conflictLimit {
            do {
                try await write()
                return true
            } catch {
                switch error {
                case .preconditionFailed, .notFound: return false
                case .conflict: continue  // Undecided: the store wants it asked again.
                default: throw error
                }
            }
        }
        return false
    }

    /// Lets all contenders write at once; returns the numbers of those who were told that they won.
    private func race(
        _ write: @escaping @Sendable (Int) async throws(ObjectStoreError) -> Void
    ) async throws(ObjectStoreError) -> [Int] {
        let results = await withTaskGroup(of: (Int, Result<Bool, ObjectStoreError>).self) { group in
            for number in 0..<Self.contenderCount {
                group.addTask {
                    do throws(ObjectStoreError) {
                        let won = try await attempt { () throws(ObjectStoreError) in try await write(number) }
                        return (number, .success(won))
                    } catch {
                        return (number, .failure(error))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var winners: [Int] = []
        var failure: ObjectStoreError?
        for (number, result) in results {
            switch result {
            case .success(let won): if won { winners.append(number) }
            case .failure(let error): failure = error
            }
        }
        // Two winners are too many, whatever became of the others.
        if winners.count < 2, let failure { throw failure }
        return winners
    }
}
