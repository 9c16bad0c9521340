// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// The page that Prometheus gets, against what other programs count and think of it.
@Suite(.serialized) struct MetricsTests {
    /// One scrape, as curl saw it.
    private struct Page {
        var text: String
        var seconds: Double

        /// The value of the one sample of this name with these labels.
        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            let found = text.split(separator: "\n").filter { line in
                line.hasPrefix(name + "{")
                    && labels.allSatisfy { line.contains("\($0.key)=\"\($0.value)\"") }
            }
            guard found.count == 1, let number = found[0].split(separator: " ").last else { return nil }
            return Double(number)
        }
    }

    private func scrape(_ gateway: GatewayUnderTest) throws -> Page {
        let result = try GatewayUnderTest.run(
            "curl",
            [
                "--silent", "--show-error", "--fail", "--max-time", "20", "--write-out", "%{stderr}%{time_total}",
                "http://127.0.0.1:\(gateway.exporterPort)/metrics",
            ])
        try #require(result.status == 0, "\(result.error)")
        return Page(text: result.output, seconds: try #require(Double(result.error)))
    }

    /// What a test compares of one volume.
    private struct Traffic: Equatable {
        var readBytes: Double
        var writtenBytes: Double
        var reads: Double
        var writes: Double

        static func - (left: Self, right: Self) -> Self {
            Self(
                readBytes: left.readBytes - right.readBytes, writtenBytes: left.writtenBytes - right.writtenBytes,
                reads: left.reads - right.reads, writes: left.writes - right.writes)
        }
    }

    private func traffic(_ page: Page) throws -> (cache: Traffic, initiators: Traffic) {
        func sum(_ name: String, _ label: String = "") -> Double {
            page.text.split(separator: "\n").filter {
                $0.hasPrefix(name + "{") && (label.isEmpty || $0.contains(label))
            }
            .reduce(0) { $0 + (Double($1.split(separator: " ").last ?? "") ?? .nan) }
        }
        let cache = Traffic(
            readBytes: sum("sluice_volume_read_bytes_total"), writtenBytes: sum("sluice_volume_write_bytes_total"),
            reads: sum("sluice_volume_request_seconds_count", "operation=\"read\""),
            writes: sum("sluice_volume_request_seconds_count", "operation=\"write\""))
        let initiators = Traffic(
            readBytes: sum("sluice_initiator_read_bytes_total"),
            writtenBytes: sum("sluice_initiator_write_bytes_total"),
            reads: sum("sluice_initiator_commands_total", "operation=\"read\""),
            writes: sum("sluice_iscsi_command_seconds_count", "operation=\"write\""))
        return (cache, initiators)
    }

    private struct FioReport: Decodable {
        struct Direction: Decodable {
            var byteCount: Double
            var count: Double
            enum CodingKeys: String, CodingKey {
                case byteCount = "io_bytes"
                case count = "total_ios"
            }
        }
        struct Job: Decodable {
            var read: Direction
            var write: Direction
        }
        var jobs: [Job]
    }

    /// fio speaks to qemu-nbd, and that to the gateway.
    @Test(.timeLimit(.minutes(3)))
    func countersAgreeWithWhatFioHasCounted() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        // qemu answers reads of what it knows to be unmapped on its own.
        let fill = try GatewayUnderTest.run(
            "qemu-io", ["-f", "raw", "-c", "write -P 0x33 0 128M", gateway.url("disk")])
        try #require(fill.status == 0, "\(fill.output)\(fill.error)")
        let bridge = try NBDBridge(to: "disk", of: gateway)
        defer { bridge.stop() }
        // What qemu reads when it starts is over when two scrapes agree.
        var before = try traffic(scrape(gateway))
        try gateway.wait("the volume is quiet", seconds: 20) {
            usleep(300_000)
            guard let now = try? traffic(scrape(gateway)) else { return false }
            defer { before = now }
            return now == before
        }
        let output = gateway.path("fio.json").path
        let fio = try GatewayUnderTest.run(
            "fio",
            [
                "--name=mixed", "--ioengine=nbd", "--uri=\(bridge.uri)", "--rw=randrw",
                "--bsrange=4k-64k", "--size=128m", "--io_size=96m", "--iodepth=8", "--randseed=7", "--end_fsync=1",
                "--output-format=json", "--output=\(output)",
            ])
        try #require(fio.status == 0, "\(fio.output)\(fio.error)")
        let report = try JSONDecoder().decode(
            FioReport.self, from: Data(contentsOf: URL(fileURLWithPath: output)))
        let job = try #require(report.jobs.first)
        let counted = Traffic(
            readBytes: job.read.byteCount, writtenBytes: job.write.byteCount, reads: job.read.count,
            writes: job.write.count)
        #expect(counted.readBytes > 16e6 && counted.writtenBytes > 16e6)
        let page = try scrape(gateway)
        let after = try traffic(page)
        #expect(after.cache - before.cache == counted)
        #expect(after.initiators - before.initiators == counted)
        #expect(page.value("sluice_initiator_sessions", ["name": "disk"]) == 1)
        #expect(page.value("sluice_iscsi_lane", ["lane": "zeromq"]) == 1)
    }

    /// The whole page of a gateway that has done a little of everything; `promtool` knows the format and its customs.
    @Test(.timeLimit(.minutes(2)))
    func promtoolFindsNothingAndEveryMetricIsInTheTable() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let write = try GatewayUnderTest.run(
            "qemu-io",
            ["-f", "raw", "-c", "write -P 0x5a 0 8M", "-c", "read 0 1M", "-c", "discard 0 1M", gateway.url("disk")])
        try #require(write.status == 0 && !write.output.contains("failed"), "\(write.output)\(write.error)")
        try gateway.sluice("snapshot", "create", "disk")
        let page = try scrape(gateway)
        let file = gateway.path("page").path
        try page.text.write(toFile: file, atomically: true, encoding: .utf8)
        let lint = try GatewayUnderTest.run("sh", ["-c", "promtool check metrics <\"$0\"", file])
        #expect(lint.status == 0, "\(lint.output)\(lint.error)")

        struct Record: Decodable {
            var name: String
            var type: String
        }
        let table = try JSONDecoder().decode(
            [Record].self, from: Data(plain(gateway, "config", "metrics", "--json").utf8))
        let types = Dictionary(uniqueKeysWithValues: table.map { ($0.name, $0.type) })
        for line in page.text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
            let words = line.split(separator: " ")
            #expect(types[String(words[2])] == String(words[3]), "\(line)")
        }
        #expect(page.value("sluice_exporter_samples_left_out") == 0)
        let packed = page.value("sluice_volume_packed_bytes_total", ["name": "disk"]) ?? .nan
        let source = page.value("sluice_volume_packed_source_bytes_total", ["name": "disk"]) ?? .nan
        #expect(source >= 7e6 && packed > 0 && packed < source, "\(source) \(packed)")
        #expect(
            (page.value("sluice_object_store_request_seconds_count", ["service": "uploader", "operation": "put"]) ?? 0)
                > 0)
    }

    private func plain(_ gateway: GatewayUnderTest, _ arguments: String...) throws -> String {
        try GatewayUnderTest.run(gateway.binaries.appendingPathComponent("sluice").path, arguments).output
    }

    /// A service that stands still costs a scrape its deadline, and one that was killed nothing.
    @Test(.timeLimit(.minutes(2)))
    func servicesThatHangOrDieShowAsDownAndHoldNothingUp() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        func isUp(_ page: Page, _ process: String) -> Double? {
            page.value("sluice_service_up", ["process": process])
        }
        try gateway.wait("everything is up", seconds: 20) {
            guard let page = try? scrape(gateway) else { return false }
            return ["cache-0", "iscsi-0", "uploader-0", "snapshotter-0", "exporter-0"].allSatisfy {
                isUp(page, $0) == 1
            }
        }
        let uploader = try #require(gateway.serviceProcessIDs["uploader-0"])
        kill(uploader, SIGSTOP)
        let hung = try scrape(gateway)
        kill(uploader, SIGCONT)
        #expect(hung.seconds < 3, "\(hung.seconds)")
        #expect(isUp(hung, "uploader-0") == 0 && isUp(hung, "cache-0") == 1)
        #expect(!hung.text.contains("sluice_build_info{process=\"uploader-0\""))
        #expect(hung.text.contains("sluice_build_info{process=\"cache-0\""))

        kill(uploader, SIGKILL)
        try gateway.wait("the uploader has come back once", seconds: 20) {
            guard let page = try? scrape(gateway) else { return false }
            return page.value("sluice_service_restarts_total", ["process": "uploader-0"]) == 1
                && isUp(page, "uploader-0") == 1
        }
        #expect(try scrape(gateway).value("sluice_service_restarts_total", ["process": "cache-0"]) == 0)
    }

    /// 100 ms is for a release build; what a debug build takes is bounded, too, so that growth is noticed.
    @Test(.timeLimit(.minutes(4)))
    func aScrapeOfThirtyTwoVolumesIsQuick() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        for number in 0..<32 {
            try gateway.sluice("volume", "create", "disk-\(number)", "--size", "1GiB", "--upload-buffer", "128MiB")
        }
        try gateway.waitForTarget("disk-31")
        let pages = try (0..<10).map { _ in try scrape(gateway) }
        let seconds = pages.map(\.seconds).sorted()
        print(
            "a scrape of 32 volumes: \(seconds[5]) s median, \(seconds[9]) s longest, \(pages[9].text.utf8.count) bytes"
        )
        #expect(
            pages[9].text.split(separator: "\n").filter { $0.hasPrefix("sluice_volume_read_bytes_total{") }.count == 32)
        let isRelease = gateway.binaries.path.contains("/release")
        #expect(seconds[5] < (isRelease ? 0.1 : 1), "\(seconds)")
    }
}
