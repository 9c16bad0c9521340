// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform

/// The server's memory of requests, so that a repeat is never executed twice: it joins the one in progress, or gets the
/// same answer again. Kept per connection name, in memory: a service whose requests must be recognised across its own
/// restarts keeps its own record as well (STORAGE §4).
struct AnswerTable {
    enum Admission: Equatable {
        case execute
        /// The answer goes to whoever asked last.
        case inProgress
        case answered(MessageKind, [UInt8])
        /// The caller said earlier that it has this answer.
        case stale
        /// Too many requests in progress.
        case full
    }

    struct Limits {
        var requestsInProgress = 256
        var callers = 4096
        var answersPerCaller = 1024
        /// Answers above this size are executed again on repeat if the caller's memory is full.
        var answerByteCountPerCaller = 32 << 20
    }

    private struct Caller {
        var lowestOpenNumber: UInt64 = 0
        var inProgress: Set<UInt64> = []
        var answers: [UInt64: (kind: MessageKind, body: [UInt8])] = [:]
        var answerByteCount = 0
        var lastUsed = MonotonicInstant(nanoseconds: 0)

        mutating func forget(below number: UInt64) {
            guard number > lowestOpenNumber else { return }
            lowestOpenNumber = number
            for (key, answer) in answers where key < number {
                answerByteCount -= answer.body.count
                answers.removeValue(forKey: key)
            }
        }
    }

    private let limits: Limits
    private var callers: [PeerIdentity: Caller] = [:]
    private(set) var requestsInProgress = 0

    init(limits: Limits = Limits()) { self.limits = limits }

    mutating func admit(
        _ number: UInt64, from caller: PeerIdentity, lowestOpenNumber: UInt64, now: MonotonicInstant
    ) -> Admission {
        makeRoom(for: caller)
        // Taken out and put back, so that its tables are changed in place.
        var entry = callers.removeValue(forKey: caller) ?? Caller()
        defer { callers[caller] = entry }
        entry.lastUsed = now
        entry.forget(below: min(lowestOpenNumber, number))
        if entry.inProgress.contains(number) { return .inProgress }
        if let answer = entry.answers[number] { return .answered(answer.kind, answer.body) }
        guard number >= entry.lowestOpenNumber else { return .stale }
        guard requestsInProgress < limits.requestsInProgress else { return .full }
        entry.inProgress.insert(number)
        requestsInProgress += 1
        return .execute
    }

    /// - Parameter keep: false for answers that a repeat should not get, such as "busy".
    mutating func complete(
        _ number: UInt64, from caller: PeerIdentity, kind: MessageKind, body: [UInt8], keep: Bool
    ) {
        guard callers[caller]?.inProgress.remove(number) != nil else { return }
        requestsInProgress -= 1
        guard keep, var entry = callers.removeValue(forKey: caller) else { return }
        defer { callers[caller] = entry }
        guard number >= entry.lowestOpenNumber else { return }
        while entry.answers.count >= limits.answersPerCaller
            || entry.answerByteCount + body.count > limits.answerByteCountPerCaller,
            let oldest = entry.answers.keys.min()
        {
            entry.answerByteCount -= entry.answers.removeValue(forKey: oldest)?.body.count ?? 0
        }
        entry.answers[number] = (kind, body)
        entry.answerByteCount += body.count
    }

    /// The caller silent for longest goes, unless it waits for something.
    private mutating func makeRoom(for caller: PeerIdentity) {
        guard callers[caller] == nil, callers.count >= limits.callers else { return }
        let idle = callers.filter { $0.value.inProgress.isEmpty }
        if let oldest = idle.min(by: { $0.value.lastUsed < $1.value.lastUsed }) {
            callers.removeValue(forKey: oldest.key)
        }
    }
}
