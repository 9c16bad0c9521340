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
        package var byteCount: UInt64
        package var statistics: VolumeStatistics?
        package var latencies = VolumeLatencies()
        package var uploadBufferByteCount: UInt64
        package var recoveryPointMilliseconds: UInt64
        package var oldestDirtySeconds: Double

        package init(_ hosted: HostedVolume, at wallMilliseconds: UInt64, bucketProblem: String?) {
            id = hosted.id
            name = hosted.name
            status = hosted.status(bucketProblem: bucketProblem).0
            byteCount = hosted.head.byteCount
            statistics = hosted.engine?.statistics
            latencies = hosted.latencies
            uploadBufferByteCount = hosted.usableBufferByteCount
            recoveryPointMilliseconds = hosted.head.cutMilliseconds
            oldestDirtySeconds = hosted.oldestDirtySeconds(at: wallMilliseconds)
        }

        /// Its upload buffer is another gateway's.
        package init(standby: VolumeDescription) {
            id = standby.id
            name = standby.name
            status = standby.status
            byteCount = standby.byteCount
            uploadBufferByteCount = 0
            recoveryPointMilliseconds = standby.recoveryPointMilliseconds
            oldestDirtySeconds = 0
        }
    }

    /// How one of the table's metrics comes out of a volume's figures.
    private struct Definition {
        var metric: Metric
        var value: (Figures) -> Double
    }

    private let wallMilliseconds: UInt64
    private let cacheByteCount: UInt64

    /// - Parameter cacheByteCount: what the gateway's read cache may use.
    package init(at wallMilliseconds: UInt64, cacheByteCount: UInt64) {
        self.wallMilliseconds = wallMilliseconds
        self.cacheByteCount = cacheByteCount
    }

    package func families(of volumes: [Figures]) -> [MetricFamily] {
        let definitions = Self.counters + gauges
        var families = definitions.map { definition in
            MetricFamily(
                definition.metric,
                volumes.map { .init(labels: Self.labels($0), value: definition.value($0)) })
        }
        families += definitions.compactMap { gatewayFamily($0, volumes) }
        families += share(.uploadBufferPercentUsed, volumes, ifNothing: 0) {
            ($0.statistics?.bufferUsedByteCount ?? 0, $0.uploadBufferByteCount)
        }
        families += share(.cacheHitPercent, volumes, ifNothing: 100) {
            ($0.statistics?.localReadCount ?? 0, $0.statistics?.answeredReadCount ?? 0)
        }
        families.append(latencyFamily(volumes))
        families.append(statusFamily(volumes))
        return families
    }

    private static var counters: [Definition] {
        func counter(_ metric: Metric, _ value: @escaping (VolumeStatistics) -> UInt64) -> Definition {
            Definition(metric: metric) { Double($0.statistics.map(value) ?? 0) }
        }
        return [
            counter(.volumeReadBytes) { $0.readByteCount },
            counter(.volumeWriteBytes) { $0.writtenByteCount },
            counter(.volumeReads) { $0.readCount },
            counter(.volumeWrites) { $0.writeCount },
            counter(.volumeFlushes) { $0.flushCount },
            counter(.volumeRepeats) { $0.repeatCount },
            counter(.volumeHeldWrites) { $0.heldCount },
            Definition(metric: .volumeHeldSeconds) { Double($0.statistics?.heldNanoseconds ?? 0) / 1e9 },
            counter(.cloudBytesUploaded) { $0.uploadedByteCount },
            counter(.cloudBytesDownloaded) { $0.downloadedByteCount },
            counter(.volumePackedSourceBytes) { $0.packedSourceByteCount },
            counter(.volumePackedBytes) { $0.packedByteCount },
            counter(.volumeLocalReads) { $0.localReadCount },
            counter(.volumeReadJournalBytes) { $0.sources.journalByteCount },
            counter(.volumeReadMemoryBytes) { $0.sources.memoryByteCount },
            counter(.volumeReadCacheBytes) { $0.sources.cacheByteCount },
            counter(.volumeReadBucketBytes) { $0.sources.bucketByteCount },
            counter(.volumePrefetchedBytes) { $0.prefetchedByteCount },
            counter(.volumeCommits) { $0.commitCount },
            counter(.volumeLeaseLapses) { $0.lease?.lapseCount ?? 0 },
        ]
    }

    private var gauges: [Definition] {
        [
            Definition(metric: .queuedWritesBytes) { Double($0.statistics?.dirtyByteCount ?? 0) },
            Definition(metric: .cachePercentDirty) {
                Self.percent($0.statistics?.dirtyByteCount ?? 0, of: cacheByteCount, ifNothing: 0)
            },
            Definition(metric: .uploadBufferUsed) { Double($0.statistics?.bufferUsedByteCount ?? 0) },
            Definition(metric: .uploadBufferFree, value: Self.freeByteCount),
            Definition(metric: .volumeMapMemory) { Double($0.statistics?.mapByteCount ?? 0) },
            Definition(metric: .volumeSize) { Double($0.byteCount) },
            Definition(metric: .timeSinceRecoveryPoint) { seconds(since: $0.recoveryPointMilliseconds) },
            Definition(metric: .oldestDirtyAge) { $0.oldestDirtySeconds },
            Definition(metric: .volumeWriteDelay) { Double($0.statistics?.writeDelayNanoseconds ?? 0) / 1e9 },
            Definition(metric: .volumeLeaseLapsed) { $0.statistics?.lease?.isHeld == false ? 1 : 0 },
        ]
    }

    private func gatewayFamily(_ definition: Definition, _ volumes: [Figures]) -> MetricFamily? {
        guard let metric = definition.metric.ofGateway else { return nil }
        let values = volumes.map(definition.value)
        return MetricFamily(
            metric, definition.metric.total == .largest ? values.max() ?? 0 : values.reduce(0, +))
    }

    /// A percentage; that of all volumes is of their parts and wholes together, which neither a sum nor the largest
    /// would be.
    private func share(
        _ metric: Metric, _ volumes: [Figures], ifNothing: Double,
        _ figures: (Figures) -> (part: UInt64, whole: UInt64)
    ) -> [MetricFamily] {
        let pairs = volumes.map(figures)
        let samples = zip(volumes, pairs).map { volume, pair in
            MetricFamily.Sample(
                labels: Self.labels(volume), value: Self.percent(pair.part, of: pair.whole, ifNothing: ifNothing))
        }
        let (part, whole) = pairs.reduce((UInt64(0), UInt64(0))) { ($0.0 + $1.part, $0.1 + $1.whole) }
        let ofAll = metric.ofGateway.map {
            MetricFamily($0, Self.percent(part, of: whole, ifNothing: ifNothing))
        }
        return [MetricFamily(metric, samples)] + (ofAll.map { [$0] } ?? [])
    }

    private func latencyFamily(_ volumes: [Figures]) -> MetricFamily {
        let samples = volumes.flatMap { volume in
            VolumeOperation.allCases.map { operation in
                var labels = Self.labels(volume)
                labels["operation"] = operation.rawValue
                return MetricFamily.Sample(labels: labels, volume.latencies[operation])
            }
        }
        return MetricFamily(.volumeRequestSeconds, samples)
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
        return MetricFamily(.volumeStatus, samples)
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

    private static func percent(_ part: UInt64, of whole: UInt64, ifNothing: Double) -> Double {
        whole == 0 ? ifNothing : 100 * Double(part) / Double(whole)
    }

    /// 0 for a volume that has no recovery point yet: it has nothing to lose either.
    private func seconds(since milliseconds: UInt64) -> Double {
        guard milliseconds > 0, wallMilliseconds > milliseconds else { return 0 }
        return Double(wallMilliseconds - milliseconds) / 1000
    }
}
