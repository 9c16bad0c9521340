// SPDX-License-Identifier: Apache-2.0
package import Messages

/// What the exporter serves about snapshots on their way, and about how long volumes stood still for them.
package enum SnapshotMetrics {
    package static func families(of snapshots: PendingSnapshots) -> [MetricFamily] {
        let (pending, byteCount, stored) = snapshots.progress
        let figures = snapshots.figures
        return [
            MetricFamily(.snapshotPending, pending),
            MetricFamily(.snapshotPendingBytes, byteCount),
            MetricFamily(.snapshotPendingStored, stored),
            MetricFamily(.snapshotCuts, figures.cutCount),
            MetricFamily(.snapshotFailed, figures.failureCount),
            MetricFamily(.snapshotPause, Double(figures.pauseNanoseconds) / 1e9),
            MetricFamily(.snapshotLongestPause, Double(figures.longestPauseNanoseconds) / 1e9),
        ]
    }
}
