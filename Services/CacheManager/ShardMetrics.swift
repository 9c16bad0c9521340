// SPDX-License-Identifier: Apache-2.0
package import Messages

/// What the exporter serves about the cache manager itself, besides its volumes.
package enum ShardMetrics {
    package static func families(
        dispatcher: UploadDispatcher, counters: IOCounters, frontendCount: Int, journalByteCount: UInt64,
        reservedByteCount: UInt64
    ) -> [MetricFamily] {
        func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) -> MetricFamily {
            family(name, help, .gauge, Double(value))
        }
        func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricFamily {
            family(name, help, .counter, Double(value))
        }
        return [
            gauge("uploaders", "Uploaders connected.", dispatcher.uploaderCount),
            gauge("upload_jobs_waiting", "Bucket jobs that wait for an uploader.", dispatcher.queuedJobCount),
            gauge("upload_jobs_running", "Bucket jobs at uploaders.", dispatcher.runningJobCount),
            counter(
                "upload_jobs_lost_total", "Bucket jobs whose uploader was lost or silent.", dispatcher.lostJobCount),
            gauge("frontends", "Frontend instances that may use volumes.", frontendCount),
            counter("frontends_revoked_total", "Frontend instances that fell silent.", counters.revokedFrontends),
            counter("requests_total", "I/O requests received.", counters.requests),
            counter("requests_refused_total", "I/O requests that came too late or were fenced off.", counters.refused),
            counter("requests_malformed_total", "I/O requests that make no sense.", counters.malformed),
            gauge("journal_size_bytes", "Journal space of the gateway (journal.size).", journalByteCount),
            gauge("journal_reserved_bytes", "Journal space that volumes have reserved.", reservedByteCount),
        ]
    }

    private static func family(
        _ name: String, _ help: String, _ type: MetricFamily.MetricType, _ value: Double
    ) -> MetricFamily {
        MetricFamily(name: "sluice_cache_" + name, help: help, type: type, samples: [.init(value: value)])
    }
}
