// SPDX-License-Identifier: Apache-2.0
package import Messages

/// What the exporter serves about the cache manager itself, besides its volumes.
package enum ShardMetrics {
    package static func families(
        dispatcher: UploadDispatcher, counters: IOCounters, frontendCount: Int, journalByteCount: UInt64,
        reservedByteCount: UInt64
    ) -> [MetricFamily] {
        func one(_ name: String, _ help: String, _ type: MetricFamily.MetricType, _ value: Double) -> MetricFamily {
            MetricFamily(name: "sluice_cache_" + name, help: help, type: type, samples: [.init(value: value)])
        }
        return [
            one("uploaders", "Uploaders connected.", .gauge, Double(dispatcher.uploaderCount)),
            one("upload_jobs_waiting", "Bucket jobs that wait for an uploader.", .gauge,
                Double(dispatcher.queuedJobCount)),
            one("upload_jobs_running", "Bucket jobs at uploaders.", .gauge, Double(dispatcher.runningJobCount)),
            one("upload_jobs_lost_total", "Bucket jobs whose uploader was lost or did not answer.", .counter,
                Double(dispatcher.lostJobCount)),
            one("frontends", "Frontend instances that may use volumes.", .gauge, Double(frontendCount)),
            one("frontends_revoked_total", "Frontend instances revoked because they fell silent.", .counter,
                Double(counters.revokedFrontends)),
            one("requests_total", "I/O requests received.", .counter, Double(counters.requests)),
            one("requests_refused_total", "I/O requests past their deadline or of revoked frontends.", .counter,
                Double(counters.refused)),
            one("requests_malformed_total", "I/O requests whose parts do not fit together.", .counter,
                Double(counters.malformed)),
            one("journal_size_bytes", "Journal space of the gateway (journal.size).", .gauge,
                Double(journalByteCount)),
            one("journal_reserved_bytes", "Journal space that volumes have reserved.", .gauge,
                Double(reservedByteCount)),
        ]
    }
}
