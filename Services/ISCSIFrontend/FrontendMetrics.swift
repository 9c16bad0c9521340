// SPDX-License-Identifier: Apache-2.0
import Messages
import Wire

/// What the exporter serves about a frontend, its targets and its initiators. Read on the loop's thread, between two
/// rounds, so that nothing needs a lock.
enum FrontendMetrics {
    static func families(of loop: FrontendLoop) -> [MetricFamily] {
        own(loop) + [latencies(of: loop.targets)] + initiators(loop.initiators) + loop.counters.families()
    }

    private static func own(_ loop: FrontendLoop) -> [MetricFamily] {
        [
            MetricFamily(.iscsiSessions, loop.registry.count),
            MetricFamily(.iscsiConnections, loop.connections.count),
            MetricFamily(.iscsiTargets, loop.targets.count),
            MetricFamily(
                .iscsiLane, [.init(labels: ["lane": CacheLink.lane], value: loop.links.isConnected ? 1 : 0)]),
            MetricFamily(.commandsOpen, loop.links.openCount),
            MetricFamily(.commandsHeld, loop.links.heldCount),
            MetricFamily(.commandsResent, loop.resentCount),
            MetricFamily(.commandsExpired, loop.expiredCount),
            MetricFamily(.writeBufferUsed, loop.writeBudget.usedByteCount),
            MetricFamily(.readBytesInFlight, loop.readBudget.usedByteCount),
        ]
    }

    private static func latencies(of targets: TargetTable) -> MetricFamily {
        let samples = targets.all.flatMap { target in
            VolumeOperation.allCases.map { operation in
                MetricFamily.Sample(
                    labels: [
                        "volume": target.volume.description, "name": target.volumeName,
                        "operation": operation.rawValue,
                    ], target.latencies[operation])
            }
        }
        return MetricFamily(.commandSeconds, samples)
    }

    private static func initiators(_ table: InitiatorTable) -> [MetricFamily] {
        let all = table.all
        func labels(_ figures: InitiatorFigures) -> [String: String] {
            [
                "initiator": figures.initiator, "volume": figures.volume.description, "name": figures.volumeName,
            ]
        }
        func family(_ metric: Metric, _ value: (InitiatorFigures) -> Double) -> MetricFamily {
            MetricFamily(metric, all.map { .init(labels: labels($0), value: value($0)) })
        }
        func byOperation(
            _ metric: Metric, _ value: (InitiatorFigures, VolumeOperation) -> Double
        ) -> MetricFamily {
            let samples = all.flatMap { figures in
                VolumeOperation.allCases.map { operation in
                    MetricFamily.Sample(
                        labels: labels(figures).merging(["operation": operation.rawValue]) { own, _ in own },
                        value: value(figures, operation))
                }
            }
            return MetricFamily(metric, samples)
        }
        return [
            family(.initiatorSessions) { Double($0.sessionCount) },
            family(.initiatorReadBytes) { Double($0.readByteCount) },
            family(.initiatorWriteBytes) { Double($0.writtenByteCount) },
            byOperation(.initiatorCommands) { Double($0.commandCount($1)) },
            byOperation(.initiatorCommandSeconds) { $0.commandSeconds($1) },
        ]
    }
}
