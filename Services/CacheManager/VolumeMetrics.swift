// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import Wire

/// What the exporter serves about volumes (ARCHITECTURE §8): AWS's figures under their names, per volume with the
/// labels `volume` (id) and `name`, and for the gateway under the same names with `_gateway_`; and what AWS lacks.
package struct VolumeMetrics {
    /// One volume at one moment; no statistics while it has no engine.
    package struct Figures {
        package var id: VolumeID
        package var name: String
        package var status: VolumeStatus
        package var statistics: VolumeStatistics?
        package var uploadBufferByteCount: UInt64
        package var recoveryPointMilliseconds: UInt64
        package var oldestDirtySeconds: Double

        package init(_ hosted: HostedVolume, at wallMilliseconds: UInt64, bucketProblem: String?) {
            id = hosted.id
            name = hosted.name
            status = hosted.status(bucketProblem: bucketProblem).0
            statistics = hosted.engine?.statistics
            uploadBufferByteCount = hosted.usableBufferByteCount
            recoveryPointMilliseconds = hosted.head.cutMilliseconds
            oldestDirtySeconds = hosted.oldestDirtySeconds(at: wallMilliseconds)
        }

        /// Its upload buffer is another gateway's.
        package init(standby: VolumeDescription) {
            id = standby.id
            name = standby.name
            status = standby.status
            uploadBufferByteCount = 0
            recoveryPointMilliseconds = standby.recoveryPointMilliseconds
            oldestDirtySeconds = 0
        }
    }

    private struct Definition {
        var name: String
        var help: String
        var type: MetricFamily.MetricType
        /// nil: of single volumes only.
        var total: Total?
        var value: (Figures) -> Double
        enum Total { case sum, largest }
    }

    private let wallMilliseconds: UInt64
    package init(at wallMilliseconds: UInt64) { self.wallMilliseconds = wallMilliseconds }

    package func families(of volumes: [Figures]) -> [MetricFamily] {
        let definitions = counters + gauges
        var families = definitions.map { definition in
            MetricFamily(
                name: "sluice_" + definition.name, help: definition.help, type: definition.type,
                samples: volumes.map { .init(labels: Self.labels($0), value: definition.value($0)) })
        }
        families += definitions.compactMap { gatewayFamily($0, volumes) }
        families += percentUsed(volumes)
        families += percentHit(volumes)
        families.append(statusFamily(volumes))
        return families
    }

    private var counters: [Definition] {
        func counter(_ name: String, _ help: String, _ value: @escaping (VolumeStatistics) -> UInt64) -> Definition {
            Definition(name: name, help: help, type: .counter, total: .sum) { Double($0.statistics.map(value) ?? 0) }
        }
        return [
            counter("volume_read_bytes_total", "Bytes read by initiators.") { $0.readByteCount },
            counter("volume_write_bytes_total", "Bytes written by initiators.") { $0.writtenByteCount },
            counter("volume_read_operations_total", "Reads by initiators.") { $0.readCount },
            counter("volume_write_operations_total", "Writes by initiators.") { $0.writeCount },
            counter("volume_flush_operations_total", "Cache flushes by initiators.") { $0.flushCount },
            counter("volume_repeated_requests_total", "Requests that came again and were answered from memory.") {
                $0.repeatCount
            },
            counter("cloud_bytes_uploaded_total", "Compressed bytes uploaded to the bucket.") { $0.uploadedByteCount },
            counter("cloud_bytes_downloaded_total", "Compressed bytes downloaded from the bucket.") {
                $0.downloadedByteCount
            },
            counter("volume_local_read_operations_total", "Reads that needed nothing from the bucket.") {
                $0.localReadCount
            },
            counter("volume_read_journal_bytes_total", "Bytes of reads that the journal had.") {
                $0.sources.journalByteCount
            },
            counter("volume_read_memory_bytes_total", "Bytes of reads that were in memory.") {
                $0.sources.memoryByteCount
            },
            counter("volume_read_cache_bytes_total", "Bytes of reads that the read cache had.") {
                $0.sources.cacheByteCount
            },
            counter("volume_read_bucket_bytes_total", "Bytes of reads that had to be fetched from the bucket.") {
                $0.sources.bucketByteCount
            },
            counter("volume_prefetched_bytes_total", "Bytes fetched before they were read.") {
                $0.prefetchedByteCount
            },
            counter("volume_commits_total", "Recovery points made.") { $0.commitCount },
            counter("volume_lease_lapses_total", "How often the lease on a volume ran out while it served.") {
                $0.lease?.lapseCount ?? 0
            },
        ]
    }

    private var gauges: [Definition] {
        func gauge(
            _ name: String, _ help: String, _ total: Definition.Total?, _ value: @escaping (Figures) -> Double
        ) -> Definition { Definition(name: name, help: help, type: .gauge, total: total, value: value) }
        return [
            gauge("queued_writes_bytes", "Bytes waiting to be written to the bucket (dirty data).", .sum) {
                Double($0.statistics?.dirtyByteCount ?? 0)
            },
            gauge("upload_buffer_used_bytes", "Bytes used in the upload buffer.", .sum) {
                Double($0.statistics?.bufferUsedByteCount ?? 0)
            },
            gauge("volume_map_memory_bytes", "Memory of the map of what is in the bucket.", .sum) {
                Double($0.statistics?.mapByteCount ?? 0)
            },
            gauge("upload_buffer_free_bytes", "Unused bytes in the upload buffer.", .sum, Self.freeByteCount),
            gauge("time_since_last_recovery_point_seconds", "Age of the newest recovery point.", .largest) {
                self.seconds(since: $0.recoveryPointMilliseconds)
            },
            gauge("oldest_dirty_age_seconds", "Age of the oldest byte that the bucket lacks; 0 when clean.", .largest) {
                $0.oldestDirtySeconds
            },
            gauge("volume_write_delay_seconds", "Delay that back-pressure gives a write now.", .largest) {
                Double($0.statistics?.writeDelayNanoseconds ?? 0) / 1e9
            },
            gauge("volume_lease_lapsed", "1 while a volume answers nothing because its lease has run out.", .sum) {
                $0.statistics?.lease?.isHeld == false ? 1 : 0
            },
        ]
    }

    private func gatewayFamily(_ definition: Definition, _ volumes: [Figures]) -> MetricFamily? {
        guard let total = definition.total else { return nil }
        let values = volumes.map(definition.value)
        let value = total == .sum ? values.reduce(0, +) : values.max() ?? 0
        let name = definition.name.hasPrefix("volume_") ? String(definition.name.dropFirst(7)) : definition.name
        return MetricFamily(
            name: "sluice_gateway_" + name,
            help: definition.help + (total == .sum ? " All volumes." : " The largest of all volumes."),
            type: definition.type, samples: [.init(value: value)])
    }

    /// Of all volumes it is the part of their buffers together, which neither a sum nor the largest would be.
    private func percentUsed(_ volumes: [Figures]) -> [MetricFamily] {
        let samples = volumes.map { volume in
            MetricFamily.Sample(
                labels: Self.labels(volume),
                value: Self.percent(volume.statistics?.bufferUsedByteCount ?? 0, of: volume.uploadBufferByteCount))
        }
        let used = volumes.reduce(UInt64(0)) { $0 + ($1.statistics?.bufferUsedByteCount ?? 0) }
        let whole = volumes.reduce(UInt64(0)) { $0 + $1.uploadBufferByteCount }
        return [
            MetricFamily(
                name: "sluice_upload_buffer_percent_used", help: "Percent use of the upload buffer.", type: .gauge,
                samples: samples),
            MetricFamily(
                name: "sluice_gateway_upload_buffer_percent_used",
                help: "Percent use of the upload buffer. All volumes together.", type: .gauge,
                samples: [.init(value: Self.percent(used, of: whole))]),
        ]
    }

    /// AWS's CacheHitPercent: of the reads since the volume was opened; for another span of time, the counters.
    private func percentHit(_ volumes: [Figures]) -> [MetricFamily] {
        let samples = volumes.map { volume in
            MetricFamily.Sample(
                labels: Self.labels(volume),
                value: Self.percent(
                    volume.statistics?.localReadCount ?? 0, of: volume.statistics?.answeredReadCount ?? 0))
        }
        let local = volumes.reduce(UInt64(0)) { $0 + ($1.statistics?.localReadCount ?? 0) }
        let all = volumes.reduce(UInt64(0)) { $0 + ($1.statistics?.answeredReadCount ?? 0) }
        let help = "Percent of reads that needed nothing from the bucket, since the volume was opened."
        return [
            MetricFamily(name: "sluice_cache_hit_percent", help: help, type: .gauge, samples: samples),
            MetricFamily(
                name: "sluice_gateway_cache_hit_percent", help: help + " All volumes together.", type: .gauge,
                samples: [.init(value: Self.percent(local, of: all))]),
        ]
    }

    /// One sample per volume and status, 1 for the one that holds, so that alerts can name a status.
    private func statusFamily(_ volumes: [Figures]) -> MetricFamily {
        let samples = volumes.flatMap { volume in
            Self.statusNames.map { status, name in
                var labels = Self.labels(volume)
                labels["status"] = name
                return MetricFamily.Sample(labels: labels, value: status == volume.status ? 1 : 0)
            }
        }
        return MetricFamily(
            name: "sluice_volume_status", help: "1 for the status that the volume has.", type: .gauge,
            samples: samples)
    }

    private static let statusNames: [(VolumeStatus, String)] = [
        (.creating, "creating"), (.opening, "opening"), (.available, "available"), (.uploadStalled, "upload_stalled"),
        (.fenced, "fenced"), (.failed, "failed"), (.deleting, "deleting"),
        (.standby, "standby"),
    ]

    private static func labels(_ volume: Figures) -> [String: String] {
        ["volume": volume.id.description, "name": volume.name]
    }

    private static func freeByteCount(_ volume: Figures) -> Double {
        let used = volume.statistics?.bufferUsedByteCount ?? 0
        return Double(volume.uploadBufferByteCount > used ? volume.uploadBufferByteCount - used : 0)
    }

    private static func percent(_ part: UInt64, of whole: UInt64) -> Double {
        whole == 0 ? 0 : 100 * Double(part) / Double(whole)
    }

    /// 0 for a volume that has no recovery point yet: it has nothing to lose either.
    private func seconds(since milliseconds: UInt64) -> Double {
        guard milliseconds > 0, wallMilliseconds > milliseconds else { return 0 }
        return Double(wallMilliseconds - milliseconds) / 1000
    }
}
