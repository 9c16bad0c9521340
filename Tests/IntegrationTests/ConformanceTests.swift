// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Testing

/// libiscsi's own suite, qemu's tools and fio against a running gateway.
@Suite(.serialized) struct ConformanceTests {
    /// All of it, with one path and with two of two frontends. `make conformance` runs each test alone and compares.
    @Test(.timeLimit(.minutes(15)))
    func theLibiscsiSuitePasses() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.sluice("volume", "set", "disk", "--sanitize", "on")
        try gateway.waitForTarget("disk")
        let second = try SecondFrontend(gateway)
        defer { second.kill() }
        for urls in [[gateway.url("disk")], [gateway.url("disk"), second.url("disk")]] {
            let result = try GatewayUnderTest.run(
                "iscsi-test-cu", ["-d", "-S", "-n", "-t", "ALL"] + urls, seconds: 400)
            #expect(result.status == 0, "\(urls.count) paths: \(result.output.suffix(3000))")
            let counts = result.output.split(separator: "\n").first { $0.contains("tests") && $0.contains("230") }
            #expect(counts?.split(separator: " ").dropFirst() == ["230", "230", "230", "0", "0"], "\(counts ?? "")")
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func fioVerifiesThroughAnNBDBridge() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let bridge = try NBDBridge(to: "disk", of: gateway)
        defer { bridge.stop() }
        let result = try GatewayUnderTest.run(
            "fio",
            [
                "--name=verify", "--ioengine=nbd", "--uri=\(bridge.uri)", "--rw=randwrite",
                "--bsrange=4k-64k", "--size=256m", "--io_size=128m", "--iodepth=16", "--verify=crc32c",
                "--verify_fatal=1", "--do_verify=1",
            ], directory: gateway.directory)
        #expect(result.status == 0, "\(result.output.suffix(2000))\(result.error)")
    }

    @Test(.timeLimit(.minutes(3)))
    func theToolsOfLibiscsiAndQEMURunClean() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let url = gateway.url("disk")
        let write = try GatewayUnderTest.run(
            "qemu-io", ["-f", "raw", "-c", "write -P 0x5a 1M 64M", "-c", "flush", "-c", "read -P 0x5a 1M 64M", url])
        #expect(write.status == 0 && write.error.isEmpty && !write.output.contains("failed"), "\(write)")
        for arguments in [["-m", "16", "-b", "8"], ["-m", "16", "-b", "8", "--random"]] {
            let load = try GatewayUnderTest.run("iscsi-perf", ["-t", "3"] + arguments + [url])
            #expect(load.status == 0 && load.output.contains("iops average"), "\(load)")
        }
        let inquiry = try GatewayUnderTest.run("iscsi-inq", [url])
        #expect(inquiry.status == 0, "\(inquiry)")
    }

    @Test(.timeLimit(.minutes(3)))
    func theMetricsAreValid() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        let url = "http://127.0.0.1:\(gateway.exporterPort)/metrics"
        try gateway.wait("the exporter answers", seconds: 20) {
            (try? GatewayUnderTest.run("curl", ["-sf", url]).output.contains("sluice_upload_buffer_used_bytes"))
                ?? false
        }
        let page = try GatewayUnderTest.run("curl", ["-sf", url]).output
        let file = gateway.path("metrics.txt")
        try page.write(to: file, atomically: true, encoding: .utf8)
        let check = try GatewayUnderTest.run("sh", ["-c", "promtool check metrics < '\(file.path)'"])
        #expect(check.status == 0, "\(check.output)\(check.error)")
        for name in [
            "sluice_queued_writes_bytes", "sluice_upload_buffer_free_bytes", "sluice_upload_buffer_percent_used",
            "sluice_time_since_last_recovery_point_seconds", "sluice_service_up",
        ] {
            #expect(page.contains(name), "\(name) is missing")
        }
    }
}
