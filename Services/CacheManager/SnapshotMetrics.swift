// SPDX-License-Identifier: Apache-2.0
package import Messages

/// What the exporter serves about snapshots on their way, and about how long volumes stood still for them.
package enum SnapshotMetrics {
    package static func families(of snapshots: PendingSnapshots) -> [MetricFamily] {
        let (pending, byteCount, stored) = snapshots.progress
        let figures = snapshots.figures
        return [
            family("pending", "Snapshots that were cut and are not in the bucket yet.", .gauge, Double(pending)),
            family(
                "pending_bytes", "Bytes that pending snapshots had to bring to the bucket.", .gauge, Double(byteCount)),
            family("pending_stored_bytes", "Of these, bytes that the bucket has.", .gauge, Double(stored)),
            family("cuts_total", "Cuts for snapshots; a group is one.", .counter, Double(figures.cutCount)),
            family(
                "failed_total", "Snapshots that were promised and could not be kept.", .counter,
                Double(figures.failureCount)),
            family(
                "pause_seconds_total", "How long volumes stood still for snapshots, together.", .counter,
                Double(figures.pauseNanoseconds) / 1e9),
            family(
                "longest_pause_seconds", "The longest that volumes stood still for one snapshot or group.", .gauge,
                Double(figures.longestPauseNanoseconds) / 1e9),
        ]
    }

    private static func family(
        _ name: String, _ help: String, _ type: MetricFamily.MetricType, _ value: Double
    ) -> MetricFamily {
        MetricFamily(name: "sluice_snapshot_" + name, help: help, type: type, samples: [.init(value: value)])
    }
}
