// SPDX-License-Identifier: Apache-2.0

/// How much the initiators may be reading at once: bytes that were asked of the cache manager and are not sent yet.
/// They are memory here or there, whether a peer takes them or not. A read beyond the limits waits in line.
struct ReadBudget {
    struct Waiter: Equatable {
        var connection: ConnectionID
        var slot: Int
        var byteCount: Int
    }

    private let limit: Int
    private let connectionLimit: Int
    private(set) var usedByteCount = 0
    private var waiters: [Waiter] = []
    /// Something changed since the line was looked through.
    private var mayAdmit = false

    init(limit: Int, connectionLimit: Int) {
        self.limit = limit
        self.connectionLimit = connectionLimit
    }

    /// - Parameter used: what the connection has reserved.
    mutating func reserve(_ byteCount: Int, beside used: Int) -> Bool {
        guard hasRoom(byteCount), fits(byteCount, beside: used) else { return false }
        usedByteCount += byteCount
        return true
    }

    /// One read alone is always let through: it is no larger than the largest transfer.
    private func hasRoom(_ byteCount: Int) -> Bool { usedByteCount == 0 || usedByteCount + byteCount <= limit }
    private func fits(_ byteCount: Int, beside used: Int) -> Bool { used == 0 || used + byteCount <= connectionLimit }

    mutating func release(_ byteCount: Int) {
        precondition(byteCount <= usedByteCount)
        usedByteCount -= byteCount
        mayAdmit = true
    }

    mutating func wait(_ waiter: Waiter) { waiters.append(waiter) }

    mutating func forget(where isGone: (Waiter) -> Bool) {
        waiters.removeAll(where: isGone)
        mayAdmit = true
    }

    /// The first in line with room for it, which is reserved. A connection that has its share keeps its own reads in
    /// order and does not hold up others; when all is used, everybody waits for the first.
    mutating func admitNext(used: (ConnectionID) -> Int) -> Waiter? {
        guard mayAdmit else { return nil }
        var passed: Set<ConnectionID> = []
        for (index, waiter) in waiters.enumerated() where !passed.contains(waiter.connection) {
            guard hasRoom(waiter.byteCount) else { break }
            if reserve(waiter.byteCount, beside: used(waiter.connection)) { return waiters.remove(at: index) }
            passed.insert(waiter.connection)
        }
        mayAdmit = false
        return nil
    }
}
