// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages

/// What the exporter serves about the read cache, AWS's figures under their names.
package enum CacheMetrics {
    package static func families(of statistics: CacheStatistics) -> [MetricFamily] {
        func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
            MetricFamily(name: "sluice_cache_" + name, help: help, type: .gauge, samples: [.init(value: value)])
        }
        func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricFamily {
            MetricFamily(
                name: "sluice_cache_" + name, help: help, type: .counter, samples: [.init(value: Double(value))])
        }
        let used = Double(statistics.usedByteCount)
        let size = Double(statistics.byteCount)
        return [
            gauge("used_bytes", "Bytes used in the read cache.", used),
            gauge("free_bytes", "Unused bytes in the read cache.", max(0, size - used)),
            gauge("size_bytes", "Bytes that the read cache may use (cache.size).", size),
            gauge("percent_used", "Percent use of the read cache.", size == 0 ? 0 : 100 * used / size),
            gauge("frames", "Frames in the read cache.", Double(statistics.frameCount)),
            gauge("index_used_bytes", "Memory of the cache's index in use.", Double(statistics.indexUsedByteCount)),
            gauge(
                "index_size_bytes", "Memory of the cache's index (cache.index_memory).",
                Double(statistics.indexByteCount)),
            counter("hits_total", "Frames that the read cache had.", statistics.hitCount),
            counter("hit_bytes_total", "Bytes of frames that the read cache had.", statistics.hitByteCount),
            counter("misses_total", "Frames that had to be fetched from the bucket.", statistics.missCount),
            counter("map_hits_total", "Map nodes that the read cache had.", statistics.nodeHitCount),
            counter("map_misses_total", "Map nodes that had to be fetched.", statistics.nodeMissCount),
            counter("joined_total", "Requests for frames that were under way already.", statistics.joinedCount),
            counter("stored_frames_total", "Frames put into the read cache.", statistics.storedCount),
            counter("stored_bytes_total", "Bytes put into the read cache.", statistics.storedByteCount),
            counter("refused_frames_total", "Frames not kept for want of room or time.", statistics.refusedCount),
            counter("carried_bytes_total", "Bytes written again to keep them.", statistics.carriedByteCount),
            counter("recycled_regions_total", "Regions emptied to make room.", statistics.recycledCount),
            counter("damaged_frames_total", "Frames whose bytes did not verify.", statistics.damagedCount),
            counter("failed_reads_total", "Reads that the cache's disk failed.", statistics.failedReadCount),
            counter("late_reads_total", "Reads that the cache's disk took too long for.", statistics.lateReadCount),
            counter("failed_writes_total", "Writes that the cache's disk failed.", statistics.failedWriteCount),
        ]
    }
}
