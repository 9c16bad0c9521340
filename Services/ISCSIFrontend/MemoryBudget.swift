// SPDX-License-Identifier: Apache-2.0
import SCSI
import Wire

/// The memory that data of reads, or of writes, may take in all connections together. Whoever does not get it now
/// waits in line. No peer can keep others from working: once half is used a connection gets no more than its share, and
/// one that has nothing always gets a little.
struct MemoryBudget {
    struct Waiter: Equatable {
        var connection: ConnectionID
        var slot: Int
        var byteCount: Int
    }

    struct Limits {
        var byteCount: Int
        /// Of one connection, when there is not plenty.
        var shareByteCount: Int
        /// What a connection without any gets also when all is used.
        var guaranteedByteCount: Int
    }

    private let limits: Limits
    private(set) var usedByteCount = 0
    private var waiters: [Waiter] = []
    /// Something changed since the line was looked through.
    private var mayAdmit = false

    init(_ limits: Limits) { self.limits = limits }

    /// - Parameter used: what the connection has reserved.
    mutating func reserve(_ byteCount: Int, beside used: Int) -> Bool {
        let isPlenty = usedByteCount + byteCount <= limits.byteCount / 2
        guard hasRoom(byteCount, beside: used), used == 0 || isPlenty || used + byteCount <= limits.shareByteCount
        else { return false }
        usedByteCount += byteCount
        return true
    }

    /// Whether there can ever be room for a command; always for one that is a single request to a volume.
    func canHold(_ byteCount: Int) -> Bool {
        byteCount <= max(limits.byteCount, Int(BlockLimits.requestSectorCount) * Geometry.sectorByteCount)
    }

    /// One command alone is always let through.
    private func hasRoom(_ byteCount: Int, beside used: Int) -> Bool {
        usedByteCount == 0 || usedByteCount + byteCount <= limits.byteCount
            || used == 0 && byteCount <= limits.guaranteedByteCount
    }

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

    /// The first in line with room for it, which is reserved. A connection that has its share keeps its own commands in
    /// order and does not hold up others; when all is used, everybody waits for the first.
    mutating func admitNext(used: (ConnectionID) -> Int) -> Waiter? {
        guard mayAdmit else { return nil }
        var passed: Set<ConnectionID> = []
        for (index, waiter) in waiters.enumerated() where !passed.contains(waiter.connection) {
            let used = used(waiter.connection)
            guard hasRoom(waiter.byteCount, beside: used) else { break }
            if reserve(waiter.byteCount, beside: used) { return waiters.remove(at: index) }
            passed.insert(waiter.connection)
        }
        mayAdmit = false
        return nil
    }
}
