// SPDX-License-Identifier: Apache-2.0
package import Logging
package import Messages
package import ServiceKit
import ServiceLifecycle
import Synchronization

/// Counts the snapshots of the bucket after each change made here, once a minute while some are pending and every ten
/// minutes otherwise, for metrics and health: a scrape must not cost a listing, and many changes in a row only one.
/// What it reads it also puts right (`CatalogueUpkeep`).
package struct SnapshotCensus: Service, CustomStringConvertible {
    /// Changes are looked for this often.
    private static let step = Duration.seconds(1)
    private static let stepsBetweenCounts = 600
    private static let stepsWhilePending = 60
    /// After a failure, so that health tells soon that the bucket is back.
    private static let stepsAfterFailure = 5

    private let upkeep: CatalogueUpkeep
    private let health: ServiceHealth
    private let result: Result
    private let logger: Logger

    /// The last count; any thread.
    package final class Result: Sendable {
        private struct State {
            var counts: [SnapshotState: Int]?
            var isOutdated = true
        }
        private let state = Mutex(State())
        package init() {}

        /// Something was changed since, so the next count comes soon.
        package func outdate() { state.withLock { $0.isOutdated = true } }

        fileprivate var hasPending: Bool { state.withLock { $0.counts?[.pending, default: 0] ?? 0 > 0 } }
        fileprivate var isOutdated: Bool { state.withLock { $0.isOutdated } }

        /// Before the counting begins: what changes meanwhile is counted again.
        fileprivate func begin() { state.withLock { $0.isOutdated = false } }
        fileprivate func set(_ counts: [SnapshotState: Int]) { state.withLock { $0.counts = counts } }

        /// Nothing before the first count: 0 would be a lie.
        package var metricFamilies: [MetricFamily] {
            guard let counts = state.withLock({ $0.counts }) else { return [] }
            let states: [(SnapshotState, String)] = [
                (.pending, "pending"), (.completed, "completed"), (.error, "error"), (.deleting, "deleting"),
            ]
            return [
                MetricFamily(
                    .snapshots, states.map { .init(labels: ["state": $1], value: Double(counts[$0] ?? 0)) })
            ]
        }
    }

    package init(
        _ upkeep: CatalogueUpkeep, health: ServiceHealth, result: Result,
        logger: Logger = Logger(label: "snapshotter")
    ) {
        self.upkeep = upkeep
        self.logger = logger
        self.health = health
        self.result = result
    }

    package var description: String { "snapshot census" }

    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let isCounted = await count()
                var steps = result.hasPending ? Self.stepsWhilePending : Self.stepsBetweenCounts
                if !isCounted { steps = Self.stepsAfterFailure }
                repeat {
                    try await Task.sleep(for: Self.step)
                    steps -= 1
                } while steps > 0 && !result.isOutdated
            }
        }
    }

    /// - Returns: whether the bucket could be read.
    package func count() async -> Bool {
        result.begin()
        do throws(BusFault) {
            let view = try await upkeep.look()
            let counts = Dictionary(view.entries.map { (SnapshotDescription($0).state, 1) }, uniquingKeysWith: +)
            result.set(counts)
            let number = counts.filter { $0.key != .deleting }.values.reduce(0, +)
            health.set(ready: true, number == 1 ? "1 snapshot" : "\(number) snapshots")
            await keepUp(view)
            return true
        } catch {
            health.set(ready: false, error.message)
            return false
        }
    }

    /// What fails here is done the next time; the count tells whether the bucket is there.
    private func keepUp(_ view: CatalogueUpkeep.View) async {
        do throws(BusFault) {
            let changes = try await upkeep.run(view)
            guard changes > 0 else { return }
            result.outdate()
            logger.info("Snapshot records put right", metadata: ["count": "\(changes)"])
        } catch {
            logger.debug("Snapshot records could not be looked at", metadata: ["reason": "\(error)"])
        }
    }
}
