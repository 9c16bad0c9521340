// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Glibc
import Synchronization

/// A real S3 server on loopback for tests, with one bucket and one user who may do everything.
///
/// `shared` is one server per test process: tests keep apart by `freshPrefix` or `makeBucket`. It ends with the
/// process. `start` is a server of one's own, for tests that harm it.
package final class S3Server: Sendable {
    package let kind: S3ServerKind
    /// `http://127.0.0.1:port`, or another address if one was asked for; path style.
    package let endpoint: String
    package let accessKey: String
    package let secretKey: String
    package let region = "us-east-1"
    /// Made when the server was started.
    package let bucket = "sluice-test"
    private let process: ServerProcess
    private let names = Atomic(0)

    private static let sharedServers = Mutex<[S3ServerKind: S3Server]>([:])

    private init(kind: S3ServerKind, endpoint: String, keys: (access: String, secret: String), process: ServerProcess) {
        self.kind = kind
        self.endpoint = endpoint
        accessKey = keys.access
        secretKey = keys.secret
        self.process = process
    }

    /// The one server of this kind in this process, started at the first call. Others that ask meanwhile wait.
    package static func shared(_ kind: S3ServerKind) throws(S3ServerError) -> S3Server {
        try sharedServers.withLock { servers throws(S3ServerError) in
            if let server = servers[kind], server.isRunning { return server }
            let server = try start(kind)
            servers[kind] = server
            return server
        }
    }

    /// A new server, ready for requests; it ends with `stop` or with the last reference.
    /// - Parameter address: to listen on instead of loopback; for SeaweedFS only.
    package static func start(
        _ kind: S3ServerKind, address: String = "127.0.0.1"
    ) throws(S3ServerError) -> S3Server {
        precondition(address == "127.0.0.1" || kind == .seaweedFS, "this server only serves loopback")
        guard kind.isInstalled else { throw .notInstalled(kind) }
        var attemptsLeft = 3
        while true {
            attemptsLeft -= 1
            do { return try launch(kind, address) } catch {
                // Most likely somebody else was quicker to take one of the ports.
                guard case .notReady = error, attemptsLeft > 0 else { throw error }
            }
        }
    }

    package var isRunning: Bool { process.isRunning }
    /// The server's process group, for tests that stop (SIGSTOP) or kill it.
    package var processGroup: pid_t? { process.processGroup }
    /// The end of what the server printed.
    package var log: String { process.log }

    /// Ends the server and removes its data.
    package func stop() { process.stop() }

    /// A prefix that no other test in this bucket has, without a slash at its end.
    package func freshPrefix() -> String { "test-\(names.wrappingAdd(1, ordering: .relaxed).newValue)" }

    /// An empty bucket of one's own.
    package func makeBucket() throws(S3ServerError) -> String {
        let name = "sluice-test-\(names.wrappingAdd(1, ordering: .relaxed).newValue)"
        try expectSuccess("PUT", name)
        return name
    }

    /// One signed request by a client that is not under test.
    /// - Parameters:
    ///   - path: `bucket/key`, without characters that need escaping and without a query.
    ///   - through: an endpoint to be asked instead of the server's own, such as a proxy's.
    package func call(
        _ method: String, _ path: String, body: String = "", through other: String? = nil, secretKey: String? = nil
    ) throws(S3ServerError) -> (status: Int, body: String) {
        let answer = try SignedCall(
            method, "\(other ?? endpoint)/\(path)", service: "s3", keys: (accessKey, secretKey ?? self.secretKey),
            body: body
        ).run()
        return (answer.status, answer.body)
    }

    // MARK: Start

    private static func launch(_ kind: S3ServerKind, _ address: String) throws(S3ServerError) -> S3Server {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-s3-\(UInt64.random(in: 0 ... .max))")
        let recipe: S3ServerRecipe
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            recipe = try S3ServerRecipe(kind, address: address, directory: directory.path)
        } catch let error as S3ServerError { throw error } catch { throw .system("\(error)") }
        let process = try ServerProcess(
            directory: directory, command: recipe.command, environment: recipe.environment)
        do {
            let deadline = ContinuousClock.now + recipe.timeout
            let endpoint = "http://\(address):\(recipe.port)"
            var keys = (access: recipe.accessKey, secret: recipe.secretKey)
            try wait(for: kind, process, until: deadline) {
                LoopbackPorts.isListening(recipe.port, at: address) ? nil : "nobody listens"
            }
            if kind == .moto { keys = try MotoUser.make(endpoint: endpoint) }
            let server = S3Server(kind: kind, endpoint: endpoint, keys: keys, process: process)
            // Whoever stores an object stores the next one too: some listen long before that.
            try wait(for: kind, process, until: deadline) { server.readinessProblem() }
            return server
        } catch {
            process.stop()
            throw error
        }
    }

    private static func wait(
        for kind: S3ServerKind, _ process: ServerProcess, until deadline: ContinuousClock.Instant,
        _ problem: () -> String?
    ) throws(S3ServerError) {
        while let reason = problem() {
            guard process.isRunning, ContinuousClock.now < deadline else {
                let state = process.isRunning ? "not in time" : "it has ended"
                throw .notReady(kind, reason: "\(state): \(reason)", log: process.log)
            }
            usleep(50_000)
        }
    }

    private func readinessProblem() -> String? {
        do {
            // A second attempt finds the bucket of the first one.
            let answer = try call("PUT", bucket)
            guard answer.status == 200 || answer.status == 409 else { return "\(answer)" }
            try expectSuccess("PUT", "\(bucket)/ready", body: "ready")
            try expectSuccess("DELETE", "\(bucket)/ready")
        } catch { return "\(error)" }
        return nil
    }

    private func expectSuccess(_ method: String, _ path: String, body: String = "") throws(S3ServerError) {
        let answer = try call(method, path, body: body)
        guard (200..<300).contains(answer.status) else {
            throw .refused(kind, call: "\(method) \(path)", answer: "\(answer.status) \(answer.body)")
        }
    }
}
