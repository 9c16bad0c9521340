// SPDX-License-Identifier: Apache-2.0

/// What a cache manager tells of itself, of its read cache and of snapshots on their way.
extension Metric {
    private static func cacheGauge(_ name: String, _ help: String, aws: String? = nil) -> Metric {
        Metric("cache_" + name, .gauge, help, aws: aws)
    }
    private static func cacheCounter(_ name: String, _ help: String) -> Metric {
        Metric("cache_" + name, .counter, help)
    }

    // MARK: The read cache

    package static let cacheUsed = cacheGauge("used_bytes", "Bytes used in the read cache.", aws: "CacheUsed")
    package static let cacheFree = cacheGauge("free_bytes", "Unused bytes in the read cache.", aws: "CacheFree")
    package static let cacheSize = cacheGauge(
        "size_bytes", "Bytes that the read cache may use (cache.size).", aws: "TotalCacheSize")
    package static let cachePercentUsed = cacheGauge(
        "percent_used", "Percent use of the read cache.", aws: "CachePercentUsed")
    package static let cacheFrames = cacheGauge("frames", "Frames in the read cache.")
    package static let cacheIndexUsed = cacheGauge("index_used_bytes", "Memory of the cache's index in use.")
    package static let cacheIndexSize = cacheGauge(
        "index_size_bytes", "Memory of the cache's index (cache.index_memory).")
    package static let cacheHits = cacheCounter("hits_total", "Frames that the read cache had.")
    package static let cacheHitBytes = cacheCounter("hit_bytes_total", "Bytes of frames that the read cache had.")
    package static let cacheMisses = cacheCounter("misses_total", "Frames that had to be fetched from the bucket.")
    package static let cacheMapHits = cacheCounter("map_hits_total", "Map nodes that the read cache had.")
    package static let cacheMapMisses = cacheCounter("map_misses_total", "Map nodes that had to be fetched.")
    package static let cacheJoined = cacheCounter(
        "joined_total", "Requests for frames that were under way already.")
    package static let cacheStoredFrames = cacheCounter("stored_frames_total", "Frames put into the read cache.")
    package static let cacheStoredBytes = cacheCounter("stored_bytes_total", "Bytes put into the read cache.")
    package static let cacheRefused = cacheCounter(
        "refused_frames_total", "Frames not kept for want of room or time.")
    package static let cacheCarried = cacheCounter("carried_bytes_total", "Bytes written again to keep them.")
    package static let cacheRecycled = cacheCounter("recycled_regions_total", "Regions emptied to make room.")
    package static let cacheDamaged = cacheCounter("damaged_frames_total", "Frames whose bytes did not verify.")
    package static let cacheFailedReads = cacheCounter("failed_reads_total", "Reads that the cache's disk failed.")
    package static let cacheLateReads = cacheCounter(
        "late_reads_total", "Reads that the cache's disk took too long for.")
    package static let cacheFailedWrites = cacheCounter(
        "failed_writes_total", "Writes that the cache's disk failed.")

    static let readCache = [
        cacheUsed, cacheFree, cacheSize, cachePercentUsed, cacheFrames, cacheIndexUsed, cacheIndexSize, cacheHits,
        cacheHitBytes, cacheMisses, cacheMapHits, cacheMapMisses, cacheJoined, cacheStoredFrames, cacheStoredBytes,
        cacheRefused, cacheCarried, cacheRecycled, cacheDamaged, cacheFailedReads, cacheLateReads,
        cacheFailedWrites,
    ]

    // MARK: The process

    package static let uploaders = cacheGauge("uploaders", "Uploaders connected.")
    package static let uploadJobsWaiting = cacheGauge(
        "upload_jobs_waiting", "Bucket jobs that wait for an uploader.")
    package static let uploadJobsRunning = cacheGauge("upload_jobs_running", "Bucket jobs at uploaders.")
    package static let uploadJobsLost = cacheCounter(
        "upload_jobs_lost_total", "Bucket jobs whose uploader was lost or silent.")
    package static let frontends = cacheGauge("frontends", "Frontend instances that may use volumes.")
    package static let frontendsRevoked = cacheCounter(
        "frontends_revoked_total", "Frontend instances that fell silent.")
    package static let requests = cacheCounter("requests_total", "I/O requests received.")
    package static let requestsRefused = cacheCounter(
        "requests_refused_total", "I/O requests that came too late or were fenced off.")
    package static let requestsMalformed = cacheCounter(
        "requests_malformed_total", "I/O requests that make no sense.")
    package static let journalSize = cacheGauge(
        "journal_size_bytes", "Journal space of the gateway (journal.size).")
    package static let journalReserved = cacheGauge(
        "journal_reserved_bytes", "Journal space that volumes have reserved.")
    package static let diskWait = Metric(
        "cache_disk_wait_seconds_total", .counter,
        "Time during which the cache manager waited for at least one answer of a local disk.", labels: ["disk"],
        aws: "IoWaitPercent")

    static let cacheManager = [
        uploaders, uploadJobsWaiting, uploadJobsRunning, uploadJobsLost, frontends, frontendsRevoked, requests,
        requestsRefused, requestsMalformed, journalSize, journalReserved, diskWait,
    ]

    // MARK: Snapshots on their way

    package static let snapshotPending = Metric(
        "snapshot_pending", .gauge, "Snapshots that were cut and are not in the bucket yet.")
    package static let snapshotPendingBytes = Metric(
        "snapshot_pending_bytes", .gauge, "Bytes that pending snapshots had to bring to the bucket.")
    package static let snapshotPendingStored = Metric(
        "snapshot_pending_stored_bytes", .gauge, "Of these, bytes that the bucket has.")
    package static let snapshotCuts = Metric(
        "snapshot_cuts_total", .counter, "Cuts for snapshots; a group is one.")
    package static let snapshotFailed = Metric(
        "snapshot_failed_total", .counter, "Snapshots that were promised and could not be kept.")
    package static let snapshotPause = Metric(
        "snapshot_pause_seconds_total", .counter, "How long volumes stood still for snapshots, together.")
    package static let snapshotLongestPause = Metric(
        "snapshot_longest_pause_seconds", .gauge,
        "The longest that volumes stood still for one snapshot or group.")

    static let pendingSnapshots = [
        snapshotPending, snapshotPendingBytes, snapshotPendingStored, snapshotCuts, snapshotFailed, snapshotPause,
        snapshotLongestPause,
    ]
}
