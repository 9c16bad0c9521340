// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import Foundation
import GatewayHarness
import Glibc
import S3Servers
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct S3ServersTests {
    /// The basic ones have to be there; the others are tried where `make s3-more` has installed them.
    static let kinds = S3ServerKind.allCases.filter { S3ServerKind.basic.contains($0) || $0.isInstalled }

    @Test(arguments: kinds)
    func startsStoresAndLeavesNothing(_ kind: S3ServerKind) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let server = try S3Server.start(kind)
        print("\(kind) was ready after \(clock.now - start)")
        defer { server.stop() }
        #expect(try server.call("PUT", "\(server.bucket)/a", body: "hello").status == 200)
        #expect(try server.call("GET", "\(server.bucket)/a") == (200, "hello"))
        #expect(try server.call("PUT", "\(server.bucket)/a", secretKey: "wrong-secret-wrong").status == 403)
        let other = try server.makeBucket()
        #expect(try server.call("PUT", "\(other)/\(server.freshPrefix())/a", body: "x").status == 200)
        #expect(server.freshPrefix() != server.freshPrefix())
        let group = try #require(server.processGroup)
        server.stop()
        #expect(kill(-group, 0) != 0)
        #expect(!server.isRunning)
    }

    @Test func listensOnLoopbackOnly() throws {
        let server = try S3Server.shared(.seaweedFS)
        let again = try S3Server.shared(.seaweedFS)
        #expect(again === server)
        let group = try #require(server.processGroup)
        let sockets = try GatewayUnderTest.run("ss", ["--listening", "--tcp", "--numeric", "--processes"]).output
        let own = sockets.split(separator: "\n").filter { $0.contains("pid=\(group),") }
        #expect(!own.isEmpty)
        for line in own { #expect(line.contains(" 127.0.0.1:"), "\(line)") }
    }

    @Test func signaturesHoldThroughTheFaultProxy() async throws {
        let server = try S3Server.shared(.moto)
        let path = "\(server.bucket)/\(server.freshPrefix())"
        try await withFaultProxy(upstream: server.endpoint) { proxy in
            let put = try server.call("PUT", path, body: "hello", through: proxy.endpoint)
            #expect(put.status == 200)
            let get = try server.call("GET", path, through: proxy.endpoint)
            #expect(get == (200, "hello"))
            try await proxy.drain()
            #expect(proxy.counters.forwarded == 2)
        }
    }

    /// The process that started the guard is killed; what the server started in a session of its own must end too.
    @Test func nothingOutlivesAKilledTestProcess() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-guard-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let fifo = directory.path + ".fifo"
        defer { try? FileManager.default.removeItem(atPath: fifo) }
        let guardScript = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("S3Servers/Scripts/guard.py").path
        let script = """
            mkfifo "$2"
            python3 "$3" "$1" bash -c 'setsid sleep 600 & echo $! >"$1/escaped"; wait' server "$1" <"$2" &
            exec 9>"$2"
            wait
            """
        let parent = GatewayUnderTest.process("bash", ["-c", script, "parent", directory.path, fifo, guardScript])
        try parent.run()
        let note = directory.appendingPathComponent("escaped")
        var escaped: pid_t?
        for _ in 0..<1000 where escaped == nil {
            usleep(10_000)
            let text = (try? String(contentsOf: note, encoding: .utf8)) ?? ""
            escaped = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let orphan = try #require(escaped)
        #expect(kill(orphan, 0) == 0)
        kill(parent.processIdentifier, SIGKILL)
        parent.waitUntilExit()
        for _ in 0..<1000 where FileManager.default.fileExists(atPath: directory.path) { usleep(10_000) }
        #expect(!FileManager.default.fileExists(atPath: directory.path))
        #expect(kill(orphan, 0) != 0)
    }
}
