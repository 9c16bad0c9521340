// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Remembers what control requests were answered, so that one that is sent again is answered again and not done
/// again (ARCHITECTURE §3). Bounded: the oldest answers go first, running requests never.
package struct AnswerMemory<Answer> {
    package struct Key: Hashable, Sendable {
        package var sender: ServiceInstance
        package var request: UInt64
        package init(sender: ServiceInstance, request: UInt64) {
            self.sender = sender
            self.request = request
        }
    }

    package enum Verdict {
        /// Do it, and `remember` the answer.
        case new
        /// It is being done; its answer will go out once.
        case running
        case answered(Answer)
        /// The sender said earlier that it has the answer.
        case stale
    }

    private enum Entry {
        case running
        case answered(Answer)
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var lowestOpenNumbers: [ServiceInstance: UInt64] = [:]
    /// Answered keys, oldest first.
    private var order: [Key] = []

    package init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    package var count: Int { entries.count }

    /// - Parameter lowestOpen: the sender has all answers below it and will not ask for them again.
    package mutating func begin(_ key: Key, lowestOpen: UInt64 = 0) -> Verdict {
        forget(sender: key.sender, below: min(lowestOpen, key.request))
        switch entries[key] {
        case nil:
            if key.request < lowestOpenNumbers[key.sender] ?? 0 { return .stale }
            entries[key] = .running
            return .new
        case .running: return .running
        case .answered(let answer): return .answered(answer)
        }
    }

    package mutating func remember(_ answer: Answer, for key: Key) {
        if case .answered = entries[key] { return }
        entries[key] = .answered(answer)
        order.append(key)
        guard order.count > capacity else { return }
        let excess = order.count - capacity
        for old in order.prefix(excess) { entries[old] = nil }
        order.removeFirst(excess)
    }

    private mutating func forget(sender: ServiceInstance, below lowestOpen: UInt64) {
        guard lowestOpen > lowestOpenNumbers[sender] ?? 0 else { return }
        // Senders come and go; those that are gone send nothing old any more.
        if lowestOpenNumbers.count >= capacity { lowestOpenNumbers.removeAll() }
        lowestOpenNumbers[sender] = lowestOpen
        let isOld = { (key: Key) in key.sender == sender && key.request < lowestOpen }
        guard order.contains(where: isOld) else { return }
        for key in order where isOld(key) { entries[key] = nil }
        order.removeAll(where: isOld)
    }
}
