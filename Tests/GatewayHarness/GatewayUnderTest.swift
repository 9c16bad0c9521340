// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Glibc

/// A whole gateway in a temporary directory, run by `sluice up` with ports of its own, for tests that treat it as its
/// users do: from outside.
package final class GatewayUnderTest: @unchecked Sendable {
    package struct CommandFailure: Error, CustomStringConvertible {
        package var arguments: [String]
        package var status: Int32
        package var output: String
        package var error: String
        package var description: String {
            "sluice \(arguments.joined(separator: " ")) ended with \(status): \(error.isEmpty ? output : error)"
        }
    }

    /// A bucket of an S3 server that somebody else runs.
    package struct S3Bucket {
        package var endpoint: String
        package var name: String
        package var prefix: String
        package var accessKey: String
        package var secretKey: String
        package init(endpoint: String, name: String, prefix: String, accessKey: String, secretKey: String) {
            self.endpoint = endpoint
            self.name = name
            self.prefix = prefix
            self.accessKey = accessKey
            self.secretKey = secretKey
        }
    }

    package let directory: URL
    package let binaries: URL
    /// nil: a directory beside the others.
    private let s3: S3Bucket?
    /// nil: where the test runs.
    private let machine: TestNetwork.Machine?
    package let portal: UInt16
    package let exporterPort: UInt16
    /// Written by `start` and `stop`, which the owning test calls from one thread: the proof for `Sendable`.
    private var supervisor: Process?

    /// - Parameter settings: YAML that is appended to the gateway's configuration.
    package init(
        binaries: URL = GatewayUnderTest.builtBinaries, in parent: URL? = nil, s3: S3Bucket? = nil,
        machine: TestNetwork.Machine? = nil, settings: String = ""
    ) throws {
        self.binaries = binaries
        self.s3 = s3
        self.machine = machine
        directory = (parent ?? FileManager.default.temporaryDirectory)
            .appendingPathComponent("sluice-\(UInt32.random(in: 0 ... .max))")
        portal = Self.freePort()
        exporterPort = Self.freePort()
        for name in ["state", "run", "journal", "cache", "bucket"] {
            try FileManager.default.createDirectory(
                at: directory.appendingPathComponent(name), withIntermediateDirectories: true)
        }
        let configuration = """
            state: {directory: state}
            run: {directory: run}
            journal: {directories: [journal], size: 8GiB, volume_buffer: 1GiB}
            cache: {directories: [cache]}
            bucket: {\(bucketSettings)}
            iscsi: {listen: ["\(portalHost):\(portal)"]}
            exporter: {listen: "127.0.0.1:\(exporterPort)"}
            \(settings)
            """
        try configuration.write(to: configurationFile, atomically: true, encoding: .utf8)
        guard let s3 else { return }
        let credentials =
            "[default]\naws_access_key_id = \(s3.accessKey)\naws_secret_access_key = \(s3.secretKey)\n"
        try credentials.write(to: path("credentials"), atomically: true, encoding: .utf8)
    }

    private var bucketSettings: String {
        guard let s3 else { return "url: \"file://\(directory.path)/bucket\"" }
        return "url: \"s3://\(s3.name)\", prefix: \"\(s3.prefix)\", endpoint: \"\(s3.endpoint)\", "
            + "credentials_file: credentials"
    }

    /// The bucket for commands that need no gateway.
    package var bucketArguments: [String] {
        guard let s3 else { return ["--bucket", "file://\(directory.path)/bucket"] }
        return [
            "--bucket", "s3://\(s3.name)", "--prefix", s3.prefix, "--endpoint", s3.endpoint, "--credentials-file",
            path("credentials").path,
        ]
    }

    package var configurationFile: URL { directory.appendingPathComponent("gateway.yaml") }
    package var logFile: URL { directory.appendingPathComponent("log") }
    package func path(_ name: String) -> URL { directory.appendingPathComponent(name) }
    package var portalHost: String { machine?.address ?? "127.0.0.1" }
    package func target(_ volume: String) -> String { "iqn.2026-11.io.sluice:\(volume)" }
    package func url(_ volume: String) -> String { "iscsi://\(portalHost):\(portal)/\(target(volume))/0" }

    /// Where `swift build` put the executables: beside the running test bundle.
    package static var builtBinaries: URL {
        if let path = ProcessInfo.processInfo.environment["SLUICE_BINARIES"] { return URL(fileURLWithPath: path) }
        let here = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        for argument in CommandLine.arguments where argument.hasSuffix(".xctest") {
            return URL(fileURLWithPath: argument).deletingLastPathComponent()
        }
        return here
    }

    /// A port that nobody listens on now.
    package static func freePort() -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe bind(descriptor, $0, length)
                _ = unsafe getsockname(descriptor, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    // MARK: Life

    /// Starts all services and waits until volumes can be listed.
    package func start(environment: [String: String] = [:]) throws {
        // A second start goes on with the log of the first.
        if !FileManager.default.fileExists(atPath: logFile.path) {
            _ = FileManager.default.createFile(atPath: logFile.path, contents: nil)
        }
        let log = try FileHandle(forWritingTo: logFile)
        try log.seekToEnd()
        let command = [binaries.appendingPathComponent("sluice").path, "up", "--config", configurationFile.path]
        let elsewhere = machine.map { ["ip", "netns", "exec", $0.namespace] } ?? []
        let process = Self.process((elsewhere + command)[0], Array((elsewhere + command).dropFirst()))
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = log
        process.standardError = log
        try process.run()
        supervisor = process
        try wait("the gateway answers", seconds: 30) { (try? self.sluice("volume", "list", "--json")) != nil }
        try wait("the portal listens", seconds: 30) { self.isPortalOpen }
    }

    private var isPortalOpen: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = portal.bigEndian
        address.sin_addr.s_addr = unsafe inet_addr(portalHost)
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Waits until the volume's target is offered.
    package func waitForTarget(_ volume: String) throws {
        try wait("target \(volume) appears", seconds: 20) {
            let list = try? Self.run("iscsi-ls", ["iscsi://\(self.portalHost):\(self.portal)"])
            return list?.output.contains(self.target(volume)) ?? false
        }
    }

    package var isRunning: Bool { supervisor.map { !Self.hasEnded($0) } ?? false }

    /// Asks the kernel. Foundation learns of the end from a socket that everything the process has started holds open
    /// as well; a crash reporter that outlives its process keeps it waiting for ever.
    private static func hasEnded(_ process: Process) -> Bool {
        var information = unsafe siginfo_t()
        let id = id_t(process.processIdentifier)
        guard unsafe waitid(P_PID, id, &information, WEXITED | WNOHANG | WNOWAIT) == 0 else { return errno == ECHILD }
        return unsafe information.si_signo != 0
    }

    private static func waitForEnd(of process: Process) { while !hasEnded(process) { usleep(5_000) } }

    /// Asks the supervisor to stop everything in order.
    package func stop() {
        guard let process = supervisor else { return }
        process.terminate()
        let deadline = Date().addingTimeInterval(40)
        while !Self.hasEnded(process), Date() < deadline { usleep(20_000) }
        if !Self.hasEnded(process) { killAll() }
        supervisor = nil
    }

    /// SIGSTOP to the supervisor and every service: a machine that stands still.
    package func pause() throws {
        for id in processIDs { kill(id, SIGSTOP) }
        try wait("every process has stopped", seconds: 5) {
            processIDs.allSatisfy { id in
                let text = (try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)) ?? ""
                return text.split(separator: ")").last?.split(separator: " ").first == "T"
            }
        }
    }

    package func wake() { for id in processIDs { kill(id, SIGCONT) } }

    private var processIDs: [pid_t] {
        serviceProcessIDs.values.map { $0 } + [supervisor?.processIdentifier].compactMap { $0 }
    }

    /// SIGKILL to the supervisor and every service, as a power switch would.
    package func killAll() {
        let ids = processIDs
        for id in ids { kill(id, SIGSTOP) }
        for id in ids { kill(id, SIGKILL) }
        if let supervisor { Self.waitForEnd(of: supervisor) }
        supervisor = nil
    }

    /// SIGKILL to the supervisor alone.
    package func killSupervisor() {
        guard let process = supervisor else { return }
        kill(process.processIdentifier, SIGKILL)
        Self.waitForEnd(of: process)
        supervisor = nil
    }

    /// Ends everything and removes the directory.
    package func tearDown() {
        killAll()
        try? FileManager.default.removeItem(at: directory)
    }

    /// SIGKILL to a service; returns when the supervisor has started another.
    package func killService(_ service: String) throws {
        guard let id = serviceProcessIDs[service] else {
            throw CommandFailure(arguments: ["(kill)", service], status: -1, output: "", error: "it does not run")
        }
        kill(id, SIGKILL)
        try wait("another \(service)", seconds: 20) { serviceProcessIDs[service].map { $0 != id } ?? false }
    }

    /// Processes that run now, by slot name (`cache-0`, `uploader-0` …).
    package var serviceProcessIDs: [String: pid_t] {
        let run = path("run")
        var result: [String: pid_t] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: run.path)) ?? [] where name.hasSuffix(".pid")
        {
            guard let text = try? String(contentsOf: run.appendingPathComponent(name), encoding: .utf8),
                let id = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), kill(id, 0) == 0,
                let command = try? String(contentsOfFile: "/proc/\(id)/cmdline", encoding: .utf8),
                command.contains("sluice-")
            else { continue }
            result[String(name.dropLast(4))] = id
        }
        return result
    }

    package func wait(_ what: String, seconds: Double, _ condition: () -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while !condition() {
            guard Date() < deadline else {
                let log = (try? String(contentsOf: logFile, encoding: .utf8)) ?? ""
                throw CommandFailure(
                    arguments: ["(wait)"], status: -1, output: "",
                    error: "\(what): not within \(seconds) s\n\(log.suffix(4000))")
            }
            usleep(50_000)
        }
    }

    // MARK: Commands

    /// Runs the command line tool against this gateway. - Returns: what it printed.
    @discardableResult
    package func sluice(_ arguments: String...) throws -> String { try sluice(arguments) }

    @discardableResult
    package func sluice(_ arguments: [String]) throws -> String {
        let result = try Self.run(
            binaries.appendingPathComponent("sluice").path,
            arguments + (arguments.first == "export" ? [] : ["--config", configurationFile.path]))
        guard result.status == 0 else {
            throw CommandFailure(
                arguments: arguments, status: result.status, output: result.output, error: result.error)
        }
        return result.output
    }

    /// A program that ends at SIGTERM: a test's thread has most signals blocked, and its children would inherit that.
    package static func process(_ program: String, _ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["--default-signal", program] + arguments
        return process
    }

    /// Runs any program to its end; after `seconds` it is killed, and the status is 124 or 137.
    package static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], directory: URL? = nil,
        seconds: Int = 240
    ) throws -> (status: Int32, output: String, error: String) {
        let process = Self.process("timeout", ["--kill-after=5", "\(seconds)", program] + arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = directory
        let files = (0..<2).map { _ in
            FileManager.default.temporaryDirectory.appendingPathComponent("sluice-out-\(UInt64.random(in: 0 ... .max))")
        }
        defer { for file in files { try? FileManager.default.removeItem(at: file) } }
        for file in files { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: try Data(contentsOf: files[0]), as: UTF8.self),
            String(decoding: try Data(contentsOf: files[1]), as: UTF8.self)
        )
    }
}
