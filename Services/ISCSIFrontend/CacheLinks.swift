// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import Platform
import ServiceKit
import Wire

/// The ways to all cache managers of the gateway, which come and go. Confined to the loop's thread.
final class CacheLinks {
    /// So often is looked for cache managers that are new.
    private static let interval = Duration.milliseconds(500)

    private(set) var all: [CacheLink] = []
    private(set) var lastID: Int
    private let parts: FrontendParts
    private let loop: EventLoop
    private let busCounters: BusCounters
    private let numbers = RequestNumbers()
    private let identity: BusIdentity
    private unowned let owner: any CacheLinkOwner
    private let isUsed: (CacheLink.ID) -> Bool
    private let work: () -> Void
    private var timer: LoopTimer?
    private var lastProblem = ""
    /// Of links that are gone.
    private var counted = (resent: UInt64(0), expired: UInt64(0))

    /// - Parameters:
    ///   - lastID: of links that were there before.
    ///   - isUsed: whether targets wait for this link, though nobody knows its cache manager any more.
    ///   - work: a round of the loop's owner, which calls `turn`.
    init(
        _ parts: FrontendParts, instance: ServiceInstance, lastID: Int, loop: EventLoop, counters: BusCounters,
        owner: any CacheLinkOwner, isUsed: @escaping (CacheLink.ID) -> Bool, work: @escaping () -> Void
    ) {
        self.parts = parts
        self.lastID = lastID
        self.loop = loop
        busCounters = counters
        self.owner = owner
        self.isUsed = isUsed
        self.work = work
        var identity = parts.identity
        identity.instance = instance
        self.identity = identity
        numbers.lowestKnown = { [unowned self] in lowestOpenNumber }
        timer = loop.makeTimer { [unowned self] in follow() }
    }

    // MARK: Who is there

    /// Connects to cache managers that are new, and lets go of those that nobody knows and nothing waits for; from the
    /// first call on twice a second.
    func follow() {
        let endpoints = parts.locateCaches()
        for endpoint in endpoints where !all.contains(where: { $0.endpoint == endpoint }) { connect(endpoint) }
        for link in all where !endpoints.contains(link.endpoint) {
            guard !link.isConnected, link.outstanding.openCount == 0, !isUsed(link.id) else { continue }
            remove(link)
        }
        timer?.arm(after: Self.interval)
    }

    private func connect(_ endpoint: Endpoint) {
        do {
            let link = try CacheLink(
                CacheLink.Settings(
                    id: CacheLink.ID(rawValue: lastID + 1), identity: identity,
                    commandHold: parts.configuration.commandHold),
                to: endpoint, numbers: numbers, loop: loop, context: parts.context, counters: busCounters,
                logger: parts.logger)
            lastID += 1
            link.owner = owner
            try link.start(work: work)
            all.append(link)
            lastProblem = ""
        } catch {
            // Tried again; said once.
            let problem = "\(endpoint): \(error)"
            guard problem != lastProblem else { return }
            lastProblem = problem
            parts.logger.error("Cannot connect to a cache manager", metadata: ["reason": "\(problem)"])
        }
    }

    private func remove(_ link: CacheLink) {
        count(link)
        link.close()
        all.removeAll { $0 === link }
        parts.logger.info("A cache manager is gone", metadata: ["endpoint": "\(link.endpoint)"])
    }

    private func count(_ link: CacheLink) {
        counted.resent += link.outstanding.resentCount
        counted.expired += link.outstanding.expiredCount
    }

    func close() {
        timer?.cancel()
        for link in all { link.close() }
    }

    /// nil: let go of, because no target needs it.
    subscript(id: CacheLink.ID) -> CacheLink? { all.first { $0.id == id } }

    // MARK: What they do together

    /// One round of each.
    func turn() { for link in all { link.turn() } }

    /// They are never sent again.
    /// - Returns: how many of them may still be applied, until a barrier of their nexus has passed.
    @discardableResult
    func drop(where isDropped: (RequestOwner) -> Bool) -> Int {
        var count = 0
        for link in all { count += link.drop(where: isDropped) }
        return count
    }

    /// Asks all for their volumes now.
    func refresh() { for link in all where link.isConnected { link.refresh() } }

    var isConnected: Bool { all.contains { $0.isConnected } }
    var hasSomethingToSend: Bool { all.contains { $0.outstanding.hasSomethingToSend } }
    var openCount: Int { all.reduce(0) { $0 + $1.outstanding.openCount } }
    var heldCount: Int { all.reduce(0) { $0 + $1.outstanding.heldCount } }
    var resentCount: UInt64 { all.reduce(counted.resent) { $0 + $1.outstanding.resentCount } }
    var expiredCount: UInt64 { all.reduce(counted.expired) { $0 + $1.outstanding.expiredCount } }

    /// What the connected ones have listed is not older than this; nil: one has not listed anything yet.
    var listedAt: MonotonicInstant? {
        var oldest = MonotonicInstant(nanoseconds: .max)
        for link in all where link.isConnected {
            guard let listedAt = link.listedAt else { return nil }
            oldest = min(oldest, listedAt)
        }
        return oldest
    }

    private var lowestOpenNumber: UInt64? {
        var lowest: UInt64?
        for link in all {
            if let number = link.outstanding.lowestOpenNumber { lowest = min(lowest ?? number, number) }
        }
        return lowest
    }
}
