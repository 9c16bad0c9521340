// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import TestInitiator
import Testing

/// Services that share no run directory and meet over tcp, each with its own key.
@Suite(.serialized) struct NetworkBusTests {
    private struct Status: Decodable {
        struct Service: Decodable {
            var name: String
            var kind: String
            var ready: Bool
            var detail: String
        }
        var ready: Bool
        var services: [Service]
    }

    private func status(_ gateway: NetworkGateway) throws -> Status {
        try JSONDecoder().decode(Status.self, from: Data(gateway.run(["status", "--json"]).output.utf8))
    }

    private func initiator(_ gateway: NetworkGateway) throws -> Initiator {
        let initiator = Initiator(host: "127.0.0.1", port: gateway.portal, name: "iqn.2026-11.test:network", isid: 1)
        try gateway.wait("login", seconds: 20) {
            try initiator.login(target: gateway.target("db"))
            return true
        }
        return initiator
    }

    private func pattern(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 65536) }

    /// Writes a block of its own for each round, and reads those of all rounds.
    private func writeAndReadAll(_ gateway: NetworkGateway, round: UInt8) throws {
        let initiator = try initiator(gateway)
        defer { initiator.drop() }
        let written = try #require(
            try initiator.execute([.write(lba: UInt64(round) * 128, pattern(round))]).first)
        try #require(written.isGood, "round \(round)")
        for earlier in 1...round {
            let read = try #require(
                try initiator.execute([.read(lba: UInt64(earlier) * 128, sectors: 128)]).first)
            #expect(read.isGood && read.data == pattern(earlier), "block of round \(earlier) in round \(round)")
        }
    }

    @Test(.timeLimit(.minutes(5))) func aGatewayOfSeparateProcessesWorksAndHeals() throws {
        let gateway = try NetworkGateway()
        defer { gateway.tearDown() }
        try gateway.start("uploader", environment: ["SLUICE_BUS_TRACE": "1"])
        for kind in NetworkGateway.kinds.dropFirst() { try gateway.start(kind) }
        try gateway.wait("all are ready", seconds: 40) { try status(gateway).ready }
        let names = try status(gateway).services.map(\.name)
        #expect(
            names == [
                "iscsi@127.0.0.1", "cache@127.0.0.1", "uploader@127.0.0.1", "snapshotter@127.0.0.1",
                "exporter@127.0.0.1",
            ])

        try gateway.sluice("volume", "create", "db", "--size", "1GiB")
        try writeAndReadAll(gateway, round: 1)
        try gateway.sluice("volume", "sync", "db")
        #expect(try gateway.sluice("snapshot", "create", "db").contains("snap-"))
        #expect(gateway.log("uploader").contains(#""kind":"uploadJob""#), "SLUICE_BUS_TRACE shows the messages")

        let page = gateway.metrics
        for kind in NetworkGateway.kinds {
            #expect(
                page.contains("sluice_service_up{process=\"\(kind)@127.0.0.1\",service=\"\(kind)\"} 1\n"), "\(kind)")
        }
        #expect(page.contains("sluice_volume_write_bytes_total{"))

        for (index, kind) in NetworkGateway.kinds.enumerated() {
            gateway.kill(kind)
            try gateway.wait("\(kind) is missed", seconds: 15) {
                try status(gateway).services.contains { $0.kind == kind && !$0.ready }
            }
            try gateway.start(kind)
            try gateway.wait("\(kind) is back", seconds: 30) { try status(gateway).ready }
            try writeAndReadAll(gateway, round: UInt8(index + 2))
        }
        // What the restarted services do together.
        try gateway.sluice("volume", "sync", "db")
        #expect(try gateway.sluice("snapshot", "list").contains("completed"))
        try gateway.wait("the exporter sees all", seconds: 20) {
            gateway.metrics.components(separatedBy: "sluice_service_up{").filter { $0.contains("} 1\n") }.count >= 5
        }
    }

    /// A container checks itself with what it has: its own run directory, and no key of the command line tool.
    @Test(.timeLimit(.minutes(2))) func aServiceIsCheckedWhereItRuns() throws {
        let gateway = try NetworkGateway()
        defer { gateway.tearDown() }
        let before = try gateway.run(["status", "--service", "cache"], as: "cache")
        #expect(before.status == 69 && before.output.contains("not running"), "\(before)")
        try gateway.start("cache")
        let after = try gateway.run(["status", "--service", "cache", "--wait", "20s"], as: "cache")
        #expect(after.status == 0 && after.output.contains("cache-0"), "\(after)")
        let whole = try gateway.run(["status"], as: "cache")
        #expect(whole.status == 78 && whole.error.contains("cli.key is missing"), "\(whole)")
    }

    @Test(.timeLimit(.minutes(2))) func nothingListensWithoutKeys() throws {
        let gateway = try NetworkGateway()
        defer { gateway.tearDown() }
        let program = gateway.binaries.appendingPathComponent("sluice-cache").path
        let configuration = ["--config", gateway.configurationFile("cache").path]
        let absent = try GatewayUnderTest.run(
            program, configuration + ["--set", "bus.keys_directory=\(gateway.path("absent").path)"])
        #expect(absent.status == 78 && absent.error.contains("sluice keys create"), "\(absent)")
        // Another service's keys are there, its own is not.
        let foreign = try GatewayUnderTest.run(
            program, configuration + ["--set", "bus.keys_directory=\(gateway.path("iscsi/keys").path)"])
        #expect(foreign.status == 78 && foreign.error.contains("cache.key is missing"), "\(foreign)")
        let check = try gateway.run(
            ["config", "check", "--set", "bus.keys_directory=\(gateway.path("absent").path)"], as: "cache")
        #expect(check.status == 78 && check.error.contains("bus.keys_directory"), "\(check)")
        let up = try gateway.run(["up"], as: "cache")
        #expect(up.status == 78 && up.error.contains("bus.listen"), "\(up)")
    }

    @Test(.timeLimit(.minutes(1))) func keysAreShownWithTheirProblemsAndNeverOverwritten() throws {
        let gateway = try NetworkGateway()
        defer { gateway.tearDown() }
        let sluice = gateway.binaries.appendingPathComponent("sluice").path
        let keys = gateway.path("keys").path
        let again = try GatewayUnderTest.run(sluice, ["keys", "create", "--directory", keys])
        #expect(again.status == 73 && again.error.contains("not overwritten"), "\(again)")
        let shown = try GatewayUnderTest.run(sluice, ["keys", "show", "--directory", keys])
        #expect(shown.status == 0 && shown.output.contains("snapshotter"), "\(shown)")
        let secret = try String(contentsOfFile: keys + "/cache.key", encoding: .utf8).prefix(40)
        #expect(!shown.output.contains(secret))
        #expect(unsafe chmod(keys + "/cache.key", 0o644) == 0)
        let open = try GatewayUnderTest.run(sluice, ["keys", "show", "--directory", keys])
        #expect(open.status == 78 && open.output.contains("chmod 600"), "\(open)")
    }

    /// With all that a peer needs but a key that the others list.
    @Test(.timeLimit(.minutes(2))) func aStrangersKeyGetsNothing() throws {
        let gateway = try NetworkGateway()
        defer { gateway.tearDown() }
        try gateway.start("cache")
        let ready = try gateway.run(["status", "--service", "cache", "--wait", "20s"], as: "cache")
        try #require(ready.status == 0)
        // The same public keys, and a secret of another set.
        let sluice = gateway.binaries.appendingPathComponent("sluice").path
        let foreign = gateway.path("foreign").path
        _ = try GatewayUnderTest.run(sluice, ["keys", "create", "--directory", foreign])
        for kind in NetworkGateway.kinds {
            let name = "/\(kind).pub"
            try FileManager.default.removeItem(atPath: foreign + name)
            try FileManager.default.copyItem(atPath: gateway.path("keys").path + name, toPath: foreign + name)
            try FileManager.default.removeItem(atPath: foreign + "/\(kind).key")
        }
        let refused = try gateway.run(["volume", "list", "--set", "bus.keys_directory=\(foreign)"])
        #expect(refused.status != 0 && refused.error.contains("compare the keys"), "\(refused)")
        #expect(try gateway.run(["volume", "list"]).status == 0)
        #expect(gateway.log("cache").contains("its key is not listed"))
    }
}
