// SPDX-License-Identifier: Apache-2.0
package import Messages

/// What the exporter serves about the cache manager itself, besides its volumes.
package enum ShardMetrics {
    /// How long each group of disks was waited for.
    package struct DiskWaits: Sendable {
        package var journalNanoseconds: UInt64
        package var cacheNanoseconds: UInt64
    }

    package static func families(
        dispatcher: UploadDispatcher, counters: IOCounters, frontendCount: Int, journalByteCount: UInt64,
        reservedByteCount: UInt64, diskWaits: DiskWaits
    ) -> [MetricFamily] {
        [
            MetricFamily(.uploaders, dispatcher.uploaderCount),
            MetricFamily(.uploadJobsWaiting, dispatcher.queuedJobCount),
            MetricFamily(.uploadJobsRunning, dispatcher.runningJobCount),
            MetricFamily(.uploadJobsLost, dispatcher.lostJobCount),
            MetricFamily(.frontends, frontendCount),
            MetricFamily(.frontendsRevoked, counters.revokedFrontends),
            MetricFamily(.requests, counters.requests),
            MetricFamily(.requestsRefused, counters.refused),
            MetricFamily(.requestsMalformed, counters.malformed),
            MetricFamily(.journalSize, journalByteCount),
            MetricFamily(.journalReserved, reservedByteCount),
            MetricFamily(
                .diskWait,
                [
                    .init(labels: ["disk": "journal"], value: Double(diskWaits.journalNanoseconds) / 1e9),
                    .init(labels: ["disk": "cache"], value: Double(diskWaits.cacheNanoseconds) / 1e9),
                ]),
        ]
    }
}
