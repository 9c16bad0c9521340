// SPDX-License-Identifier: Apache-2.0
import Wire

/// Many writers at once, of whom one may win. An answer that leaves open what happened is not held against anybody: as
/// the engine does, the probe looks at the object then. A store is broken when two were told that they won, or when
/// what is stored is not the winner's.
extension ConsistencyProbe {
    /// What one contender knows in the end.
    private enum Verdict: Sendable {
        case won
        case lost
        /// The answer was lost, or a failure came before it.
        case unsure(ObjectStoreError)
    }

    /// So many races may stay without any winner because of failures.
    private static let raceLimit = 4

    func raceOfCreates() async throws(ObjectStoreError) -> [Finding] {
        try await decisiveRace("create") { key throws(ObjectStoreError) in
            let verdicts = await race(key, "create", .absent)
            return try await judge(verdicts, key, "create") { .createsWon($0, of: Self.contenderCount) }
        }
    }

    func raceOfReplacements() async throws(ObjectStoreError) -> [Finding] {
        try await decisiveRace("replace") { key throws(ObjectStoreError) in
            let tag = try await write(key, "replace", Self.contenderCount, .absent)
            let verdicts = await race(key, "replace", .matches(tag))
            return try await judge(verdicts, key, "replace") { .replacementsWon($0, of: Self.contenderCount) }
        }
    }

    /// Races again, over another object, as long as failures keep everybody from winning.
    private func decisiveRace(
        _ subject: String, _ race: (ObjectKey) async throws(ObjectStoreError) -> [Finding]?
    ) async throws(ObjectStoreError) -> [Finding] {
        for round in 0..<Self.raceLimit {
            if let findings = try await race(key("\(subject)-\(round)")) { return findings }
        }
        throw .unavailable(.overloaded())
    }

    /// - Returns: nil if nobody won and failures may be the reason.
    private func judge(
        _ verdicts: [Verdict], _ key: ObjectKey, _ subject: String, _ wrongCount: (Int) -> Finding
    ) async throws(ObjectStoreError) -> [Finding]? {
        let winners = verdicts.indices.filter { if case .won = verdicts[$0] { true } else { false } }
        guard winners.count < 2 else { return [wrongCount(winners.count)] }
        let failures = verdicts.compactMap { if case .unsure(let error) = $0 { error } else { nil } }
        if winners.isEmpty, let reason = Self.reasonToStop(failures) { throw reason }
        let stored = try await version(of: key, subject, 0...Self.contenderCount)?.number
        if let winner = winners.first { return stored == winner ? [] : [.winnerNotStored] }
        guard let stored, stored < Self.contenderCount else { return failures.isEmpty ? [wrongCount(0)] : nil }
        if case .lost = verdicts[stored] { return [.winnerNotStored] }
        return []
    }

    /// Another race would end in the same way: a person has to see to something, or the store serves nobody.
    private static func reasonToStop(_ failures: [ObjectStoreError]) -> ObjectStoreError? {
        if let refusal = failures.first(where: { $0.disposition == .refuse }) { return refusal }
        let isServed = failures.contains { if case .unavailable = $0 { false } else { true } }
        return failures.count == contenderCount && !isServed ? failures.first : nil
    }

    private func race(_ key: ObjectKey, _ subject: String, _ condition: WritePrecondition) async -> [Verdict] {
        await withTaskGroup(of: (Int, Verdict).self) { group in
            for number in 0..<Self.contenderCount {
                group.addTask { (number, await contend(key, body(subject, number), condition)) }
            }
            var verdicts = [Verdict](repeating: .lost, count: Self.contenderCount)
            for await (number, verdict) in group { verdicts[number] = verdict }
            return verdicts
        }
    }

    /// Writes until the store has decided, or has left open what it did.
    private func contend(_ key: ObjectKey, _ bytes: [UInt8], _ condition: WritePrecondition) async -> Verdict {
        var failure: ObjectStoreError?
        for _ in 0..<Self.conflictLimit {
            do throws(ObjectStoreError) {
                _ = try await retry.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                    do throws(ObjectStoreError) { return try await store.put(key, bytes, condition) } catch {
                        if case .unavailable = error { failure = error }
                        throw error
                    }
                }
                return .won
            } catch {
                switch error {
                case .preconditionFailed, .notFound: return failure.map { .unsure($0) } ?? .lost
                case .conflict: continue  // Undecided: the store wants it asked again.
                case .ambiguous, .unavailable, .corrupt, .refused, .invalidKey: return .unsure(error)
                }
            }
        }
        return failure.map { .unsure($0) } ?? .lost
    }
}
