// SPDX-License-Identifier: Apache-2.0

/// What a cache manager tells of each volume.
extension Metric {
    private static let ofVolume = ["volume", "name"]

    private static func counter(
        _ name: String, _ help: String, aws: String? = nil, total: Total? = .sum
    ) -> Metric { Metric(name, .counter, help, labels: ofVolume, aws: aws, total: total) }

    private static func gauge(_ name: String, _ help: String, aws: String? = nil, _ total: Total? = .sum) -> Metric {
        Metric(name, .gauge, help, labels: ofVolume, aws: aws, total: total)
    }

    // MARK: What initiators do

    package static let volumeReadBytes = counter(
        "volume_read_bytes_total", "Bytes that initiators asked to read.", aws: "ReadBytes")
    package static let volumeWriteBytes = counter(
        "volume_write_bytes_total", "Bytes that initiators wrote with WRITE commands.", aws: "WriteBytes")
    package static let volumeReads = counter("volume_read_operations_total", "Reads by initiators.")
    package static let volumeWrites = counter("volume_write_operations_total", "Writes by initiators.")
    package static let volumeFlushes = counter("volume_flush_operations_total", "Cache flushes by initiators.")
    package static let volumeRequestSeconds = Metric(
        "volume_request_seconds", .histogram,
        "Time from the arrival of a request at the cache manager to its answer.", labels: ofVolume + ["operation"],
        aws: "ReadTime, WriteTime")
    package static let volumeRepeats = counter(
        "volume_repeated_requests_total", "Requests that came again and were answered from memory.")
    package static let volumeHeldWrites = counter(
        "volume_held_writes_total", "Writes that waited for room or for back-pressure before they were taken.")
    package static let volumeHeldSeconds = counter(
        "volume_held_write_seconds_total", "How long writes waited for room or for back-pressure, all together.")
    package static let volumeWriteDelay = gauge(
        "volume_write_delay_seconds", "Delay that back-pressure gives a write now.", .largest)

    // MARK: Where reads are served from

    package static let volumeLocalReads = counter(
        "volume_local_read_operations_total", "Reads that needed nothing from the bucket.")
    package static let volumeReadJournalBytes = counter(
        "volume_read_journal_bytes_total", "Bytes of reads that the journal had.")
    package static let volumeReadMemoryBytes = counter(
        "volume_read_memory_bytes_total", "Bytes of reads that were in memory.")
    package static let volumeReadCacheBytes = counter(
        "volume_read_cache_bytes_total", "Bytes of reads that the read cache had.")
    package static let volumeReadBucketBytes = counter(
        "volume_read_bucket_bytes_total", "Bytes of reads that had to be fetched from the bucket.")
    package static let volumePrefetchedBytes = counter(
        "volume_prefetched_bytes_total", "Bytes fetched before they were read.")
    package static let cacheHitPercent = gauge(
        "cache_hit_percent",
        "Percent of reads that needed nothing from the bucket, since the volume was opened; 100 without reads.",
        aws: "CacheHitPercent", .whole)

    // MARK: What is dirty, and its way to the bucket

    package static let queuedWritesBytes = gauge(
        "queued_writes_bytes", "Bytes waiting to be written to the bucket (dirty data).", aws: "QueuedWrites")
    package static let cachePercentDirty = gauge(
        "cache_percent_dirty",
        "Dirty data as percent of the gateway's read cache (cache.size); it lies in the upload buffer.",
        aws: "CachePercentDirty")
    package static let oldestDirtyAge = gauge(
        "oldest_dirty_age_seconds", "Age of the oldest byte that the bucket lacks; 0 when clean.", .largest)
    package static let timeSinceRecoveryPoint = gauge(
        "time_since_last_recovery_point_seconds", "Age of the newest recovery point.",
        aws: "TimeSinceLastRecoveryPoint", .largest)
    package static let uploadBufferUsed = gauge(
        "upload_buffer_used_bytes", "Bytes used in the upload buffer.", aws: "UploadBufferUsed")
    package static let uploadBufferFree = gauge(
        "upload_buffer_free_bytes", "Unused bytes in the upload buffer.", aws: "UploadBufferFree")
    package static let uploadBufferPercentUsed = gauge(
        "upload_buffer_percent_used", "Percent use of the upload buffer.", aws: "UploadBufferPercentUsed", .whole)
    package static let cloudBytesUploaded = counter(
        "cloud_bytes_uploaded_total", "Compressed bytes uploaded to the bucket.", aws: "CloudBytesUploaded")
    package static let cloudBytesDownloaded = counter(
        "cloud_bytes_downloaded_total", "Compressed bytes downloaded from the bucket.", aws: "CloudBytesDownloaded")
    package static let volumePackedSourceBytes = counter(
        "volume_packed_source_bytes_total", "Bytes of blocks that were uploaded, before compression.")
    package static let volumePackedBytes = counter(
        "volume_packed_bytes_total", "Bytes of the packs that hold these blocks, compressed.")
    package static let volumeCommits = counter("volume_commits_total", "Recovery points made.")

    // MARK: The volume itself

    package static let volumeStatus = Metric(
        "volume_status", .gauge, "1 for the status that the volume has.", labels: ofVolume + ["status"])
    package static let volumeSize = gauge("volume_size_bytes", "Size of the volume as initiators see it.")
    package static let volumeMapMemory = gauge(
        "volume_map_memory_bytes", "Memory of the map of what is in the bucket.")
    package static let volumeLeaseLapsed = gauge(
        "volume_lease_lapsed", "1 while a volume answers nothing because its lease has run out.")
    package static let volumeLeaseLapses = counter(
        "volume_lease_lapses_total", "How often the lease on a volume ran out while it served.")

    static let volumes = [
        volumeReadBytes, volumeWriteBytes, volumeReads, volumeWrites, volumeFlushes, volumeRequestSeconds,
        volumeRepeats, volumeHeldWrites, volumeHeldSeconds, volumeWriteDelay, volumeLocalReads,
        volumeReadJournalBytes, volumeReadMemoryBytes, volumeReadCacheBytes, volumeReadBucketBytes,
        volumePrefetchedBytes, cacheHitPercent, queuedWritesBytes, cachePercentDirty, oldestDirtyAge,
        timeSinceRecoveryPoint, uploadBufferUsed, uploadBufferFree, uploadBufferPercentUsed, cloudBytesUploaded,
        cloudBytesDownloaded, volumePackedSourceBytes, volumePackedBytes, volumeCommits, volumeStatus, volumeSize,
        volumeMapMemory, volumeLeaseLapsed, volumeLeaseLapses,
    ]
}
