// SPDX-License-Identifier: Apache-2.0
package import Messages
package import ServiceKit
import ServiceLifecycle
import Synchronization

/// Counts the snapshots of the bucket once a minute, for metrics and health: a scrape must not cost a listing.
package struct SnapshotCensus: Service {
    private static let interval = Duration.seconds(60)
    /// After a failure, so that health tells soon that the bucket is back.
    private static let shortInterval = Duration.seconds(5)

    private let service: SnapshotService
    private let health: ServiceHealth
    private let result: Result

    /// The last count; any thread.
    package final class Result: Sendable {
        private let counts = Mutex<[SnapshotState: Int]?>(nil)
        package init() {}

        package func set(_ counts: [SnapshotState: Int]) { self.counts.withLock { $0 = counts } }

        /// Nothing before the first count: 0 would be a lie.
        package var metricFamilies: [MetricFamily] {
            guard let counts = counts.withLock({ $0 }) else { return [] }
            let states: [(SnapshotState, String)] = [
                (.pending, "pending"), (.completed, "completed"), (.error, "error"), (.deleting, "deleting"),
            ]
            return [
                MetricFamily(
                    name: "sluice_snapshots", help: "Snapshots in the bucket by state.", type: .gauge,
                    samples: states.map { .init(labels: ["state": $1], value: Double(counts[$0] ?? 0)) })
            ]
        }
    }

    package init(_ service: SnapshotService, health: ServiceHealth, result: Result) {
        self.service = service
        self.health = health
        self.result = result
    }

    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let pause = await count()
                try await Task.sleep(for: pause)
            }
        }
    }

    /// - Returns: when to count again.
    package func count() async -> Duration {
        do {
            let counts = try await service.counts()
            result.set(counts)
            let number = counts.filter { $0.key != .deleting }.values.reduce(0, +)
            health.set(ready: true, number == 1 ? "1 snapshot" : "\(number) snapshots")
            return Self.interval
        } catch {
            health.set(ready: false, error.message)
            return Self.shortInterval
        }
    }
}
