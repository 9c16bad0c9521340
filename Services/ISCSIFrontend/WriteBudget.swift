// SPDX-License-Identifier: Apache-2.0

/// The memory that data of writes may take in all connections together. Whoever does not get it now waits in line.
struct WriteBudget {
    struct Waiter: Equatable {
        var connection: ConnectionID
        var slot: Int
        var byteCount: Int
    }

    private let limit: Int
    private(set) var usedByteCount = 0
    private var waiters: [Waiter] = []

    init(limit: Int) { self.limit = limit }

    /// One command alone is always let through: it is no larger than the largest transfer.
    mutating func reserve(_ byteCount: Int) -> Bool {
        guard usedByteCount == 0 || usedByteCount + byteCount <= limit else { return false }
        usedByteCount += byteCount
        return true
    }

    mutating func release(_ byteCount: Int) {
        precondition(byteCount <= usedByteCount)
        usedByteCount -= byteCount
    }

    mutating func wait(_ waiter: Waiter) { waiters.append(waiter) }

    mutating func forget(where isGone: (Waiter) -> Bool) { waiters.removeAll(where: isGone) }

    /// The first in line, if there is memory for it now; it is reserved.
    mutating func admitNext() -> Waiter? {
        guard let first = waiters.first, reserve(first.byteCount) else { return nil }
        waiters.removeFirst()
        return first
    }
}
