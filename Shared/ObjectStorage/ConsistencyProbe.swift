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
        case listedAgain
    }

    /// Writers in each race.
    package static let contenderCount = 32
    /// A store that answers "conflict" more often than this in a row never decides.
    static let conflictLimit = 16
    /// What was read must be wrong this often in a row: bits flip on the way, too.
    private static let readLimit = 4

    private static let folder = "probes/"

    let store: any ObjectStore
    private let name: String
    private let roundCount: Int
    let retry: RetryPolicy

    /// - Parameters:
    ///   - time: milliseconds since 1970; tells a later run how old this one's objects are.
    ///   - run: another number for each run: two runs must not share objects.
    ///   - retry: for each call, while the store cannot serve it; longer than a call that hangs.
    package init(
        _ store: any ObjectStore, time: UInt64, run: UInt64, roundCount: Int = 20,
        retry: RetryPolicy = RetryPolicy(maximumPause: .seconds(1), deadline: .seconds(60))
    ) {
        self.store = store
        self.name = Self.folder + hexadecimal(time, digits: 16) + "-" + hexadecimal(run, digits: 16)
        self.roundCount = roundCount
        self.retry = retry
    }

    /// Takes away what runs that were killed before `time` have left.
    package func removeLeftovers(before time: UInt64) async throws(ObjectStoreError) {
        let end = ObjectKey(Self.folder + hexadecimal(time, digits: 16))
        try await remove(try await keys(prefix: Self.folder).prefix { $0 < end })
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

    func key(_ subject: String) -> ObjectKey { ObjectKey(name + "." + subject) }

    func body(_ subject: String, _ number: Int) -> [UInt8] { Array("\(name) \(subject) \(number)".utf8) }

    /// A write that lands late leaves something for `removeLeftovers` of a later run.
    private func removeAll() async throws(ObjectStoreError) { try await remove(try await keys(prefix: name)[...]) }

    private func remove(_ keys: ArraySlice<ObjectKey>) async throws(ObjectStoreError) {
        for key in keys { try await patiently { () throws(ObjectStoreError) in try await store.delete(key) } }
    }

    /// All at once, so that a failure begins only the listing anew.
    private func keys(prefix: String) async throws(ObjectStoreError) -> [ObjectKey] {
        try await patiently { () throws(ObjectStoreError) in
            var keys: [ObjectKey] = []
            for try await key in store.keys(prefix: prefix) { keys.append(key) }
            return keys
        }
    }
}

// MARK: - The promises

extension ConsistencyProbe {
    private func conditions() async throws(ObjectStoreError) -> [Finding] {
        let key = key("condition")
        var findings: [Finding] = []
        let first = try await write(key, "condition", 1, .absent)
        var current = first
        if try await isLetThrough(key, "condition", 2, .absent) {
            findings.append(.createdOverExisting)
            current = try await version(of: key, "condition", 2...2)?.tag ?? first
        }
        _ = try await write(key, "condition", 3, .matches(current))
        if try await isLetThrough(key, "condition", 4, .matches(first)) { findings.append(.staleTagAccepted) }
        if try await isLetThrough(self.key("absent"), "absent", 1, .matches(first)) {
            findings.append(.missingObjectReplaced)
        }
        return findings
    }

    private func ranges() async throws(ObjectStoreError) -> [Finding] {
        let key = key("range")
        let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try await patiently { () throws(ObjectStoreError) in
            do throws(ObjectStoreError) { _ = try await store.put(key, bytes, .absent) } catch {
                guard case .preconditionFailed = error else { throw error }
            }
        }
        var findings: [Finding] = []
        if try await isAlways({ () throws(ObjectStoreError) in try await isRangeWrong(key, of: bytes) }) {
            findings.append(.wrongRange)
        }
        do {
            _ = try await patiently { () throws(ObjectStoreError) in
                try await store.getRange(key, byteOffset: 4000, byteCount: 97)
            }
            findings.append(.shortRangeAccepted)
        } catch {
            guard case .corrupt = error else { throw error }
        }
        return findings
    }

    private func isRangeWrong(_ key: ObjectKey, of bytes: [UInt8]) async throws(ObjectStoreError) -> Bool {
        do {
            return try await store.getRange(key, byteOffset: 1000, byteCount: 777) != Array(bytes[1000..<1777])
        } catch {
            guard case .corrupt = error else { throw error }
            return true
        }
    }

    /// Each version replaces the one before it by its tag, so that a request which arrives twice or late is refused.
    private func visibility() async throws(ObjectStoreError) -> [Finding] {
        let key = key("visible")
        var condition = WritePrecondition.absent
        for round in 0..<roundCount {
            condition = .matches(try await write(key, "visible", round, condition))
            let found = try await version(of: key, "visible", 0...round)
            guard found?.number == round else { return [.oldVersionRead(round: round)] }
        }
        let isMissing = try await isAlways { () throws(ObjectStoreError) in
            for try await found in store.keys(prefix: key.name) where found == key { return false }
            return true
        }
        let isListedAgain = try await isAlways { () throws(ObjectStoreError) in
            try await store.list(prefix: key.name, after: key, limit: 1).keys.contains(key)
        }
        try await patiently { () throws(ObjectStoreError) in try await store.delete(key) }
        // An earlier version would be its creation, arriving once more.
        let left = try await version(of: key, "visible", 0...roundCount)
        if left?.number == roundCount - 1 { return [.deletedObjectRead] }
        return (isMissing ? [.notListed] : []) + (isListedAgain ? [.listedAgain] : [])
    }
}

// MARK: - Calls that failures do not keep from an answer

extension ConsistencyProbe {
    /// One version of one of the probe's objects.
    struct Version {
        /// nil: something that the probe never wrote.
        var number: Int?
        var tag: EntityTag
    }

    /// A write whose condition holds. If its answer is lost, what is stored tells whether it was done.
    func write(
        _ key: ObjectKey, _ subject: String, _ number: Int, _ condition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        try await patiently { () throws(ObjectStoreError) in
            let failure: ObjectStoreError
            do throws(ObjectStoreError) {
                return try await store.put(key, body(subject, number), condition)
            } catch { failure = error }
            switch failure {
            case .preconditionFailed, .notFound, .ambiguous:
                let found = try await version(of: key, subject, number...number)
                guard let found, found.number == number else { throw failure }
                return found.tag
            case .conflict, .unavailable, .corrupt, .refused, .invalidKey: throw failure
            }
        }
    }

    /// Tries a write whose condition does not hold, and looks whether it was done.
    private func isLetThrough(
        _ key: ObjectKey, _ subject: String, _ number: Int, _ condition: WritePrecondition
    ) async throws(ObjectStoreError) -> Bool {
        do {
            try await patiently { () throws(ObjectStoreError) in
                _ = try await store.put(key, body(subject, number), condition)
            }
            return true
        } catch {
            switch error {
            case .preconditionFailed, .notFound:
                return try await version(of: key, subject, 0...number)?.number == number
            case .conflict, .ambiguous, .unavailable, .corrupt, .refused, .invalidKey: throw error
            }
        }
    }

    /// Which of a subject's versions is stored; nil for no object. What nobody wrote is read again: it may have been
    /// damaged on the way.
    func version(
        of key: ObjectKey, _ subject: String, _ known: ClosedRange<Int>
    ) async throws(ObjectStoreError) -> Version? {
        var tag = EntityTag("")
        for _ in 0..<Self.readLimit {
            do {
                let found = try await patiently { () throws(ObjectStoreError) in try await store.get(key) }
                tag = found.tag
                if let number = known.first(where: { body(subject, $0) == found.bytes }) {
                    return Version(number: number, tag: tag)
                }
            } catch {
                switch error {
                case .notFound: return nil
                case .corrupt: continue
                case .preconditionFailed, .conflict, .ambiguous, .unavailable, .refused, .invalidKey: throw error
                }
            }
        }
        return Version(tag: tag)
    }

    private func isAlways(
        _ question: () async throws(ObjectStoreError) -> Bool
    ) async throws(ObjectStoreError) -> Bool {
        for _ in 0..<Self.readLimit where try await !patiently(question) { return false }
        return true
    }

    /// Repeats a call that may be repeated for as long as the store cannot serve it or loses its answers.
    private func patiently<Value: Sendable>(
        _ call: () async throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        try await retry.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
            do throws(ObjectStoreError) { return try await call() } catch {
                guard case .ambiguous(_, let cause) = error else { throw error }
                throw .unavailable(cause)
            }
        }
    }
}
