// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages

/// What the exporter serves about the read cache, AWS's figures under their names.
package enum CacheMetrics {
    package static func families(of statistics: CacheStatistics) -> [MetricFamily] {
        let used = Double(statistics.usedByteCount)
        let size = Double(statistics.byteCount)
        return [
            MetricFamily(.cacheUsed, used),
            MetricFamily(.cacheFree, max(0, size - used)),
            MetricFamily(.cacheSize, size),
            MetricFamily(.cachePercentUsed, size == 0 ? 0 : 100 * used / size),
            MetricFamily(.cacheFrames, statistics.frameCount),
            MetricFamily(.cacheIndexUsed, statistics.indexUsedByteCount),
            MetricFamily(.cacheIndexSize, statistics.indexByteCount),
            MetricFamily(.cacheHits, statistics.hitCount),
            MetricFamily(.cacheHitBytes, statistics.hitByteCount),
            MetricFamily(.cacheMisses, statistics.missCount),
            MetricFamily(.cacheMapHits, statistics.nodeHitCount),
            MetricFamily(.cacheMapMisses, statistics.nodeMissCount),
            MetricFamily(.cacheJoined, statistics.joinedCount),
            MetricFamily(.cacheStoredFrames, statistics.storedCount),
            MetricFamily(.cacheStoredBytes, statistics.storedByteCount),
            MetricFamily(.cacheRefused, statistics.refusedCount),
            MetricFamily(.cacheCarried, statistics.carriedByteCount),
            MetricFamily(.cacheRecycled, statistics.recycledCount),
            MetricFamily(.cacheDamaged, statistics.damagedCount),
            MetricFamily(.cacheFailedReads, statistics.failedReadCount),
            MetricFamily(.cacheLateReads, statistics.lateReadCount),
            MetricFamily(.cacheFailedWrites, statistics.failedWriteCount),
        ]
    }
}
