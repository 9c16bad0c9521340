// SPDX-License-Identifier: Apache-2.0
import Glibc
import Messages
import MetricsExporter
import Platform
import ServiceKit
import TestSupport
import Testing
import Wire

/// Answers for each endpoint as told; unknown ones fail as a dead peer would.
private struct FakeCaller: ServiceCaller {
    var families: [String: [MetricFamily]] = [:]
    var ready: [String: Bool] = [:]

    func call<Request: BusRequest>(
        _ request: Request, at entry: ServiceEntry, timeout: Duration
    ) async throws(BusFault) -> Request.Reply {
        var reply: (any Sendable)?
        if request is MetricsRequest { reply = families[entry.name].map { MetricsRequest.Reply(families: $0) } }
        if request is HealthRequest {
            reply = ready[entry.name].map {
                HealthRequest.Reply(
                    service: .cache, instance: .init(rawValue: 1), softwareVersion: "1", uptimeSeconds: 1,
                    processID: 1, isReady: $0, detail: "detail of \(entry.name)")
            }
        }
        guard let reply = reply as? Request.Reply else { throw BusFault(.deadlineExceeded, "no answer") }
        return reply
    }
}

struct ScraperTests {
    private func family(_ name: String) -> MetricFamily {
        MetricFamily(name: name, help: "h", type: .gauge, samples: [.init(value: 7)])
    }

    @Test func deadAndSilentServicesCostOnlyTheirFigures() async throws {
        let directory = try TemporaryDirectory()
        let run = RunDirectory(DirectoryPath(directory.path))
        let services = ServiceDirectory(run, own: .init(slotName: "exporter-0", kind: .exporter, port: nil))
        let slots = try [run.claim(.cache), run.claim(.iscsi), run.claim(.exporter)]
        // A process that was killed leaves its lock and pid files behind.
        try FileSystem.replace(directory.path + "/uploader-0.lock", with: "")
        try FileSystem.replace(directory.path + "/uploader-0.pid", with: "1\n")
        let scraper = Scraper(
            directory: services, caller: FakeCaller(families: ["cache-0": [family("sluice_x")]]), ownName: "exporter-0",
            process: ProcessMetrics(startedAt: .now()))
        let page = await scraper.page()
        #expect(page.contains("sluice_service_up{process=\"cache-0\",service=\"cache\"} 1\n"))
        #expect(page.contains("sluice_service_up{process=\"iscsi-0\",service=\"iscsi\"} 0\n"))
        #expect(page.contains("sluice_service_up{process=\"uploader-0\",service=\"uploader\"} 0\n"))
        #expect(page.contains("sluice_service_up{process=\"exporter-0\",service=\"exporter\"} 1\n"))
        #expect(page.contains("sluice_x{process=\"cache-0\",service=\"cache\"} 7\n"))
        #expect(page.contains("sluice_exporter_samples_left_out{process=\"exporter-0\",service=\"exporter\"} 0\n"))
        withExtendedLifetime(slots) {}
    }

    @Test func healthIsBadWhenAnyServiceIs() async throws {
        let directory = try TemporaryDirectory()
        let run = RunDirectory(DirectoryPath(directory.path))
        let services = ServiceDirectory(run, own: .init(slotName: "exporter-0", kind: .exporter, port: nil))
        let slots = try [run.claim(.cache), run.claim(.uploader)]
        let good = await HealthReport.collect(
            from: services, caller: FakeCaller(ready: ["cache-0": true, "uploader-0": true]))
        #expect(good.isHealthy)
        #expect(good.text == "cache-0 ready: detail of cache-0\nuploader-0 ready: detail of uploader-0\n")
        let bad = await HealthReport.collect(
            from: services, caller: FakeCaller(ready: ["cache-0": true]))
        #expect(!bad.isHealthy)
        #expect(bad.text.contains("uploader-0 NOT READY: no answer"))
        withExtendedLifetime(slots) {}
    }
}
