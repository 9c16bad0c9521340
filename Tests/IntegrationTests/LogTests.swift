// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// What `log.level` and `log.format` promise, kept by every service and by the supervisor.
@Suite(.serialized) struct LogTests {
    private static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

    private struct Line: Decodable {
        var time: String
        var level: String
        var service: String
        var message: String
    }

    /// A gateway's life with a little work and the death of a service, and what it has logged, line by line.
    private func log(level: String) throws -> [String] {
        let gateway = try GatewayUnderTest(settings: "log: {format: json, level: \(level)}")
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let write = try GatewayUnderTest.run("qemu-io", ["-f", "raw", "-c", "write 0 1M", gateway.url("disk")])
        #expect(write.status == 0, "\(write.error)")
        try gateway.sluice("snapshot", "create", "disk")
        let uploader = try #require(gateway.serviceProcessIDs["uploader-0"])
        kill(uploader, SIGKILL)
        try gateway.wait("the uploader is back", seconds: 20) {
            gateway.serviceProcessIDs["uploader-0"].map { $0 != uploader } ?? false
        }
        gateway.stop()
        return try String(contentsOf: gateway.logFile, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test(.timeLimit(.minutes(2)))
    func everyLineOfEveryServiceIsAnObject() throws {
        let times = ISO8601DateFormatter()
        times.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        var lines: [Line] = []
        for text in try log(level: "debug") {
            let line = try? JSONDecoder().decode(Line.self, from: Data(text.utf8))
            guard let line else {
                Issue.record("not an object with time, level, service and message: \(text)")
                continue
            }
            #expect(times.date(from: line.time) != nil, "\(text)")
            #expect(Self.levels.contains(line.level) && !line.message.isEmpty, "\(text)")
            lines.append(line)
        }
        let services = Set(lines.map(\.service))
        let expected: Set = ["cache-0", "iscsi-0", "uploader-0", "snapshotter-0", "exporter-0"]
        #expect(services.isSuperset(of: expected) && services.count == expected.count + 1, "\(services)")
        #expect(lines.contains { $0.level == "debug" } && lines.contains { $0.level == "info" })
    }

    @Test(.timeLimit(.minutes(2)))
    func nothingBelowTheLevelIsLogged() throws {
        let lines = try log(level: "warning")
        #expect(!lines.isEmpty, "the death of the uploader is worth a warning")
        for text in lines {
            let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
            #expect((Self.levels.firstIndex(of: line.level) ?? 0) >= 4, "\(text)")
        }
    }
}
