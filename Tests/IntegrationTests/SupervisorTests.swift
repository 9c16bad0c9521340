// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// `sluice up` around programs that do as the test says, so that only the supervisor is under test.
@Suite(.serialized) struct SupervisorTests {
    /// A directory with the real `sluice` and scripts in place of the services.
    private final class Stage {
        let directory: URL
        private var process: Process?
        private let services = ["uploader", "cache", "iscsi", "snapshotter", "exporter"]

        init() throws {
            directory = FileManager.default.temporaryDirectory
                .appendingPathComponent("sluice-stage-\(UInt32.random(in: 0 ... .max))")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            // The supervisor looks beside the file it runs from, so a link would not do.
            try FileManager.default.copyItem(
                at: GatewayUnderTest.builtBinaries.appendingPathComponent("sluice"),
                to: directory.appendingPathComponent("sluice"))
            for service in services {
                try setScript(service, "trap 'echo end $0; exit 0' TERM\nwhile :; do sleep 0.05; done")
            }
        }

        deinit {
            if let process, process.isRunning { kill(process.processIdentifier, SIGKILL) }
            for service in services { if let id = processID(service) { kill(id, SIGKILL) } }
            try? FileManager.default.removeItem(at: directory)
        }

        /// Each leaves its process id where the test finds it and says when it begins.
        func setScript(_ service: String, _ body: String) throws {
            let file = directory.appendingPathComponent("sluice-\(service)")
            let text = "#!/bin/sh\necho $$ > \"$0.id\"\necho begin \(service)\n\(body)\n"
            try text.write(to: file, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        }

        func processID(_ service: String) -> pid_t? {
            let file = directory.appendingPathComponent("sluice-\(service).id")
            return (try? String(contentsOf: file, encoding: .utf8))
                .flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }

        var log: String {
            (try? String(contentsOf: directory.appendingPathComponent("log"), encoding: .utf8)) ?? ""
        }

        func start() throws -> Process {
            let log = directory.appendingPathComponent("log")
            try Data().write(to: log)
            let process = Process()
            process.executableURL = directory.appendingPathComponent("sluice")
            process.arguments = ["up", "--directory", directory.appendingPathComponent("data").path]
            process.standardOutput = try FileHandle(forWritingTo: log)
            process.standardError = process.standardOutput
            try process.run()
            self.process = process
            return process
        }

        func wait(_ what: String, _ condition: () -> Bool) throws {
            let end = Date().addingTimeInterval(15)
            while !condition() {
                try #require(Date() < end, "\(what): not in time\n\(log)")
                usleep(10_000)
            }
        }

        var hasBegun: Bool { services.allSatisfy { log.contains("begin \($0)") } }
    }

    private func isAlive(_ id: pid_t) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8) else { return false }
        return !status.contains(") Z ")
    }

    @Test(.timeLimit(.minutes(1)))
    func stopsInReverseOrderAndEndsWithSuccess() throws {
        let stage = try Stage()
        let process = try stage.start()
        try stage.wait("all begin") { stage.hasBegun }
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(stage.log)")
        let ends = stage.log.split(separator: "\n").filter { $0.contains("| end ") }
            .compactMap { $0.split(separator: "-").last.map(String.init) }
        #expect(ends == ["exporter", "snapshotter", "iscsi", "cache", "uploader"], "\(stage.log)")
        #expect(stage.log.contains("\ncache      | begin cache\n"), "lines say whose they are")
    }

    @Test(.timeLimit(.minutes(1)))
    func bringsBackWhatIsKilledAtOnce() throws {
        let stage = try Stage()
        let process = try stage.start()
        try stage.wait("all begin") { stage.hasBegun }
        // A run of two seconds counts as a success, after which a service comes back without delay.
        usleep(2_100_000)
        let killed = try #require(stage.processID("cache"))
        let moment = Date()
        kill(killed, SIGKILL)
        try stage.wait("cache is back") { stage.processID("cache").map { $0 != killed && isAlive($0) } ?? false }
        #expect(Date().timeIntervalSince(moment) < 0.5)
        #expect(process.isRunning)
        #expect(stage.processID("iscsi").map(isAlive) == true, "the others are left alone")
    }

    @Test(.timeLimit(.minutes(1)))
    func endsWithTheReasonWhenAServiceCannotStart() throws {
        let stage = try Stage()
        try stage.setScript("iscsi", "echo 'sluice-iscsi: cannot listen on 1.2.3.4:1: no' >&2; exit 73")
        let process = try stage.start()
        process.waitUntilExit()
        #expect(process.terminationStatus == 73)
        #expect(
            stage.log.hasSuffix("sluice: sluice-iscsi cannot be started: cannot listen on 1.2.3.4:1: no\n"),
            "\(stage.log)")
        for service in ["cache", "uploader"] {
            #expect(stage.processID(service).map(isAlive) != true, "\(service) was left behind")
        }
    }

    /// Long after the start, because threads of the beginning may be gone by then.
    @Test(.timeLimit(.minutes(2)))
    func allServicesEndSoonAfterTheSupervisorWasKilled() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        sleep(13)
        #expect(gateway.serviceProcessIDs.count == 5)
        gateway.killSupervisor()
        try gateway.wait("all services end", seconds: 25) { gateway.serviceProcessIDs.isEmpty }
        try gateway.start()
    }

    @Test(.timeLimit(.minutes(1)))
    func refusesToRunTwiceInOneDirectory() throws {
        let stage = try Stage()
        let process = try stage.start()
        try stage.wait("all begin") { stage.hasBegun }
        let second = try GatewayUnderTest.run(
            stage.directory.appendingPathComponent("sluice").path,
            ["up", "--directory", stage.directory.appendingPathComponent("data").path])
        #expect(second.status == 75)
        #expect(second.error.contains("a gateway already runs in"))
        #expect(second.error.contains("process \(process.processIdentifier)"))
    }
}
