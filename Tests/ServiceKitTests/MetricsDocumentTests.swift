// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform
import ServiceKit
import Testing

struct MetricsDocumentTests {
    @Test func theDocumentIsTheTable() throws {
        let repository = DirectoryPath("../../..", relativeTo: #filePath)
        let bytes = try FileSystem.readFile(repository.appending("docs/METRICS.md"), limit: 1 << 20)
        #expect(
            String(decoding: bytes, as: UTF8.self) == MetricsDocument.markdown,
            "the table of metrics has changed: `make metrics-document`")
    }

    @Test func namesFollowPrometheusAndAreThereOnce() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
        for metric in Metric.all {
            #expect(metric.name.wholeMatch(of: /sluice_[a-z][a-z0-9_]*[a-z0-9]/) != nil, "\(metric.name)")
            #expect((metric.type == .counter) == metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect(metric.type != .histogram || metric.name.hasSuffix("_seconds"), "\(metric.name)")
            #expect(metric.help.hasSuffix(".") || metric.help.hasSuffix(")."), "\(metric.name)")
            #expect(
                metric.labels.allSatisfy { $0.wholeMatch(of: /[a-z_]+/) != nil && $0 != "service" && $0 != "process" })
        }
    }

    /// The names that AWS's documentation has for cached volumes, and those that METRICS.md says are missing.
    @Test func everyMetricOfAWSIsHereOrExplained() {
        let names = [
            "AvailabilityNotifications", "HealthNotifications", "CacheHitPercent", "CachePercentUsed",
            "CachePercentDirty", "CacheUsed", "CacheFree", "TotalCacheSize", "CloudBytesUploaded",
            "CloudBytesDownloaded", "CloudDownloadLatency", "QueuedWrites", "ReadBytes", "WriteBytes", "ReadTime",
            "WriteTime", "TimeSinceLastRecoveryPoint", "UploadBufferUsed", "UploadBufferFree",
            "UploadBufferPercentUsed", "WorkingStorageUsed", "IoWaitPercent", "UserCpuPercent", "MemTotalBytes",
            "MemUsedBytes", "MemoryUsage",
        ]
        let rows = MetricsDocument.markdown.split(separator: "\n").filter { $0.hasPrefix("| ") }
        for name in names { #expect(rows.contains { $0.contains(name) }, "\(name)") }
    }
}
