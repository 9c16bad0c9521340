// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Testing
import Wire

struct VolumeMetricsTests {
    private func families(_ gateway: GatewayHarness) -> [String: MetricFamily] {
        let now = gateway.shard.now.wallMilliseconds
        let figures = gateway.shard.sortedVolumes.map { VolumeMetrics.Figures($0, at: now, bucketProblem: nil) }
        let families = VolumeMetrics(at: now, cacheByteCount: 256 << 20).families(of: figures)
        return Dictionary(uniqueKeysWithValues: families.map { ($0.name, $0) })
    }

    @Test func figuresFollowTheVolumes() throws {
        let gateway = try GatewayHarness()
        let first = try gateway.create("one")
        let second = try gateway.create("two")
        try gateway.write([UInt8](repeating: 1, count: 8192), to: first.id, sector: 0)
        _ = try gateway.read(first.id, sector: 0, count: 8)
        var families = families(gateway)
        let labels = ["volume": first.id.description, "name": "one"]
        #expect(families["sluice_volume_write_bytes_total"]?.value(labels) == 8192)
        #expect(families["sluice_volume_read_bytes_total"]?.value(labels) == 4096)
        #expect(families["sluice_queued_writes_bytes"]?.value(labels) == 8192)
        #expect(families["sluice_gateway_queued_writes_bytes"]?.value([:]) == 8192)
        #expect(families["sluice_gateway_write_bytes_total"]?.value([:]) == 8192)
        #expect(families["sluice_volume_status"]?.value(labels.merging(["status": "available"]) { $1 }) == 1)
        #expect(families["sluice_volume_status"]?.value(labels.merging(["status": "failed"]) { $1 }) == 0)
        let used = families["sluice_upload_buffer_used_bytes"]?.value(labels) ?? 0
        let free = families["sluice_upload_buffer_free_bytes"]?.value(labels) ?? 0
        #expect(used > 0 && used + free == Double(15 << 20), "what commands can fill: 16 segments but the reserve")
        let percent = families["sluice_upload_buffer_percent_used"]?.value(labels)
        #expect(percent == 100 * used / Double(15 << 20))
        let other = ["volume": second.id.description, "name": "two"]
        let usedByAll = used + (families["sluice_upload_buffer_used_bytes"]?.value(other) ?? 0)
        let percentOfAll = families["sluice_gateway_upload_buffer_percent_used"]?.value([:])
        #expect(percentOfAll == 100 * usedByAll / Double(30 << 20))

        _ = try gateway.sync("one")
        gateway.pass(5)
        families = self.families(gateway)
        #expect(families["sluice_queued_writes_bytes"]?.value(labels) == 0)
        #expect(families["sluice_oldest_dirty_age_seconds"]?.value(labels) == 0)
        #expect(families["sluice_time_since_last_recovery_point_seconds"]?.value(labels) == 5)
        #expect((families["sluice_cloud_bytes_uploaded_total"]?.value(labels) ?? 0) > 0)
        #expect(families["sluice_volume_commits_total"]?.value(labels) == 1)
    }

    @Test func latenciesGoFromTheArrivalOfARequestToItsAnswer() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create("one").id
        // Two that come again before they are answered count once, from their first arrival.
        let number = gateway.submit(.flush, volume)
        _ = gateway.submit(.flush, volume, number: number)
        gateway.pass(1)
        try gateway.write([UInt8](repeating: 1, count: 4096), to: volume, sector: 0)
        let samples = families(gateway)["sluice_volume_request_seconds"]?.samples ?? []
        #expect(samples.map { $0.labels["operation"] } == ["read", "write", "flush", "other"])
        #expect(samples.map { $0.bucketCounts?.reduce(0, +) } == [0, 1, 1, 0])
        #expect(samples.map(\.value) == [0, 0, 1, 0])
    }

    @Test func whatWasNeverAnsweredGivesItsPlaceToOthers() {
        var clock = RequestClock()
        func origin(_ number: UInt64) -> RequestOrigin {
            RequestOrigin(frontend: GatewayHarness.frontend, number: number)
        }
        func arrival(_ time: UInt64) -> RequestClock.Arrival {
            .init(volume: VolumeID(rawValue: 1), operation: .read, at: time)
        }
        for number in UInt64(1)...100_000 { clock.start(origin(number), arrival(number)) }
        #expect(clock.stop(origin(1)) == nil)
        #expect(clock.stop(origin(100_000))?.at == 100_000)
        #expect(clock.stop(origin(100_000)) == nil)
    }

    @Test func compressionAndDirtyDataAreSharesOfWhatTheyShouldBe() throws {
        let gateway = try GatewayHarness()
        let labels = ["volume": try gateway.create("one").id.description, "name": "one"]
        try gateway.write([UInt8](repeating: 1, count: 64 << 10), to: gateway.shard.sortedVolumes[0].id, sector: 0)
        var families = families(gateway)
        #expect(families["sluice_cache_percent_dirty"]?.value(labels) == 100 * 64.0 / Double(256 << 10))
        #expect(families["sluice_gateway_cache_percent_dirty"]?.value([:]) == 100 * 64.0 / Double(256 << 10))
        #expect(families["sluice_cache_hit_percent"]?.value(labels) == 100, "as AWS has it without reads")
        _ = try gateway.sync("one")
        families = self.families(gateway)
        let source = families["sluice_volume_packed_source_bytes_total"]?.value(labels) ?? 0
        let packed = families["sluice_volume_packed_bytes_total"]?.value(labels) ?? 0
        #expect(source == 65_536 && packed > 0 && packed < source / 2, "\(source) \(packed)")
        #expect(families["sluice_cache_percent_dirty"]?.value(labels) == 0)
    }

    @Test func namesAndHelpAreWhatPrometheusAccepts() throws {
        let gateway = try GatewayHarness()
        try gateway.create()
        for family in families(gateway).values {
            #expect(family.name.wholeMatch(of: /sluice_[a-z0-9_]+/) != nil)
            #expect(!family.help.isEmpty)
            #expect(Metric.all.contains { $0.name == family.name && $0.help == family.help }, "\(family.name)")
            #expect((family.type == .counter) == family.name.hasSuffix("_total"), "\(family.name)")
        }
    }
}

extension MetricFamily {
    fileprivate func value(_ labels: [String: String]) -> Double? { samples.first { $0.labels == labels }?.value }
}
