// SPDX-License-Identifier: Apache-2.0
import Messages

/// The part of docs/METRICS.md that says what the metrics of AWS's volume gateway are here, and why some are not.
enum AmazonMetrics {
    static var markdown: String {
        """
        ## AWS's metrics

        \(table("AWS/StorageGateway", "here: of a volume or alone, then of the gateway", names))

        AWS's are sums or last values of five minutes. Here counters hold everything since their start, so that any
        span can be asked for:

        \(table("AWS/StorageGateway, over five minutes", "here", queries))

        Not here, and why:

        \(table("AWS/StorageGateway", "why", missing))

        """
    }

    private static func table(_ left: String, _ right: String, _ rows: [(String, String)]) -> String {
        ([(left, right), ("---", "---")] + rows).map { "| \($0) | \($1) |" }.joined(separator: "\n")
    }

    private static var names: [(String, String)] {
        Metric.groups.flatMap(\.metrics).compactMap { metric in
            metric.aws.map { ($0, "`\(metric.name)`" + (metric.ofGateway.map { ", `\($0.name)`" } ?? "")) }
        }
    }

    private static let bucketTime = "sum(increase(sluice_object_store_request_seconds_"

    private static let queries = [
        ("ReadBytes and other bytes: Sum", "`increase(sluice_volume_read_bytes_total[5m])`"),
        (
            "ReadTime, WriteTime: Sum, milliseconds",
            "`1000 * increase(sluice_volume_request_seconds_sum{operation=\"read\"}[5m])`"
        ),
        (
            "ReadTime, WriteTime: Average",
            "the same, divided by `increase(sluice_volume_request_seconds_count{operation=\"read\"}[5m])`"
        ),
        (
            "CloudDownloadLatency: Average, milliseconds",
            "`1000 * \(bucketTime)sum{operation=~\"get\\|range\"}[5m])) / "
                + "\(bucketTime)count{operation=~\"get\\|range\"}[5m]))`"
        ),
        (
            "CacheHitPercent of the five minutes",
            "`100 * increase(sluice_volume_local_read_operations_total[5m]) / "
                + "increase(sluice_volume_read_operations_total[5m])`"
        ),
        (
            "IoWaitPercent",
            "`100 * rate(sluice_cache_disk_wait_seconds_total[5m])`; disk `journal` is also that of the state"
        ),
        (
            "UserCpuPercent",
            "`100 * sum(rate(sluice_service_cpu_seconds_total[5m])) / scalar(max(sluice_machine_processors))`"
        ),
        ("MemUsedBytes", "`sum(sluice_service_resident_memory_bytes)`"),
    ]

    private static let missing = [
        (
            "AvailabilityNotifications, HealthNotifications, of the gateway and of volumes",
            "there are no notifications yet; `sluice_service_up`, `sluice_service_restarts_total` and "
                + "`sluice_volume_status` say what they would"
        ),
        (
            "WorkingStorageUsed, WorkingStorageFree, WorkingStoragePercentUsed",
            "old names of UploadBufferUsed, -Free and -PercentUsed on gateways with stored volumes, which do not "
                + "exist yet"
        ),
        (
            "CachePercentUsed of a volume",
            "clones share what is in the cache, so that no part of it is one volume's; "
                + "`sluice_volume_read_cache_bytes_total` says what a volume has of it"
        ),
        (
            "IoWaitPercent, UserCpuPercent, MemTotalBytes, MemoryUsage of a volume",
            "one process serves all volumes with the same disks, threads and memory; "
                + "`sluice_volume_map_memory_bytes` is what a volume needs alone"
        ),
    ]
}
