// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Glibc

/// A gateway whose services are started one by one, as containers or machines start them: each with a run directory,
/// a configuration and keys of its own. They meet over tcp on the loopback network.
package final class NetworkGateway: @unchecked Sendable {
    package static let kinds = ["uploader", "cache", "iscsi", "snapshotter", "exporter"]

    package let directory: URL
    package let binaries: URL
    package let portal = GatewayUnderTest.freePort()
    package let exporterPort = GatewayUnderTest.freePort()
    private let ports: [String: UInt16]
    /// Written by the owning test only, from one thread: the proof for `Sendable`.
    private var processes: [String: Process] = [:]

    package init(binaries: URL = GatewayUnderTest.builtBinaries) throws {
        self.binaries = binaries
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-net-\(UInt32.random(in: 0 ... .max))")
        ports = Dictionary(
            uniqueKeysWithValues: Self.kinds.map { ($0, $0 == "cache" ? Self.freePair() : GatewayUnderTest.freePort()) }
        )
        for name in ["state", "journal", "blocks", "bucket"] {
            try FileManager.default.createDirectory(at: path(name), withIntermediateDirectories: true)
        }
        let made = try GatewayUnderTest.run(
            binaries.appendingPathComponent("sluice").path, ["keys", "create", "--directory", path("keys").path])
        guard made.status == 0 else {
            throw GatewayUnderTest.CommandFailure(
                arguments: ["keys", "create"], status: made.status, output: made.output, error: made.error)
        }
        for kind in Self.kinds + ["cli"] { try prepare(kind) }
    }

    /// The next port is free, too: the cache manager's I/O is taken there.
    private static func freePair() -> UInt16 {
        while true {
            let port = GatewayUnderTest.freePort()
            if port < .max, isFree(port + 1) { return port }
        }
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Its own secret key and everybody's public ones, and nothing of the others' directories that it does not use.
    private func prepare(_ kind: String) throws {
        let own = path(kind)
        try FileManager.default.createDirectory(
            at: own.appendingPathComponent("keys"), withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: path("keys").path)
        where name.hasSuffix(".pub") || name == "\(kind).key" {
            try FileManager.default.copyItem(
                at: path("keys").appendingPathComponent(name),
                to: own.appendingPathComponent("keys").appendingPathComponent(name))
        }
        let services = Self.kinds.map { "\"\($0)=localhost:\(ports[$0] ?? 0)\"" }.joined(separator: ", ")
        let listen = ports[kind].map { "listen: \"127.0.0.1:\($0)\", " } ?? ""
        let configuration = """
            state: {directory: \(path("state").path)}
            run: {directory: run}
            journal: {directories: [\(path("journal").path)], size: 8GiB, volume_buffer: 1GiB}
            cache: {directories: [\(path("blocks").path)]}
            bucket: {url: "file://\(path("bucket").path)"}
            iscsi: {listen: ["127.0.0.1:\(portal)"]}
            exporter: {listen: "127.0.0.1:\(exporterPort)"}
            bus: {\(listen)services: [\(services)], keys_directory: keys}
            """
        try configuration.write(to: configurationFile(kind), atomically: true, encoding: .utf8)
    }

    package func path(_ name: String) -> URL { directory.appendingPathComponent(name) }
    package func configurationFile(_ kind: String) -> URL { path(kind).appendingPathComponent("gateway.yaml") }
    package func target(_ volume: String) -> String { "iqn.2026-11.io.sluice:\(volume)" }
    package func log(_ kind: String) -> String {
        (try? String(contentsOf: path(kind).appendingPathComponent("log"), encoding: .utf8)) ?? ""
    }
    package var metrics: String {
        (try? GatewayUnderTest.run("curl", ["-sf", "http://127.0.0.1:\(exporterPort)/metrics"]).output) ?? ""
    }

    // MARK: Life

    package func start(_ kind: String, environment: [String: String] = [:]) throws {
        let file = path(kind).appendingPathComponent("log")
        // A second start goes on with the log of the first.
        if !FileManager.default.fileExists(atPath: file.path) {
            _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        }
        let log = try FileHandle(forWritingTo: file)
        try log.seekToEnd()
        let program = binaries.appendingPathComponent("sluice-\(kind)").path
        let process = GatewayUnderTest.process(program, ["--config", configurationFile(kind).path])
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = log
        process.standardError = log
        try process.run()
        processes[kind] = process
    }

    /// SIGKILL, and its end.
    package func kill(_ kind: String) {
        guard let process = processes.removeValue(forKey: kind) else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    package func tearDown() {
        for kind in Self.kinds { kill(kind) }
        try? FileManager.default.removeItem(at: directory)
    }

    package func wait(_ what: String, seconds: Double, _ condition: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(seconds)
        while (try? condition()) != true {
            guard Date() < deadline else {
                let logs = Self.kinds.map { "--- \($0)\n\(log($0).suffix(2500))" }.joined(separator: "\n")
                throw GatewayUnderTest.CommandFailure(
                    arguments: ["(wait)"], status: -1, output: "", error: "\(what): not within \(seconds) s\n\(logs)")
            }
            usleep(50_000)
        }
    }

    // MARK: Commands

    /// - Parameter kind: with whose configuration; `cli` by itself sees all services over the network.
    package func run(
        _ arguments: [String], as kind: String = "cli"
    ) throws -> (status: Int32, output: String, error: String) {
        try GatewayUnderTest.run(
            binaries.appendingPathComponent("sluice").path, arguments + ["--config", configurationFile(kind).path])
    }

    @discardableResult
    package func sluice(_ arguments: String...) throws -> String {
        let result = try run(arguments)
        guard result.status == 0 else {
            throw GatewayUnderTest.CommandFailure(
                arguments: arguments, status: result.status, output: result.output, error: result.error)
        }
        return result.output
    }
}
