// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import TestInitiator
import Testing

/// Two gateways that believe they own one volume cannot damage it: the bucket decides.
@Suite(.serialized) struct OwnershipTests {
    private func write(_ byte: UInt8, lba: UInt64, through gateway: GatewayUnderTest) throws -> CommandOutcome {
        let initiator = Initiator(host: "127.0.0.1", port: gateway.portal, name: "iqn.2026-11.test:owner", isid: 1)
        try initiator.login(target: gateway.target("shared"))
        defer { initiator.drop() }
        return try #require(
            try initiator.execute([.write(lba: lba, [UInt8](repeating: byte, count: 4096))]).first)
    }

    private func read(lba: UInt64, through gateway: GatewayUnderTest) throws -> [UInt8] {
        let initiator = Initiator(host: "127.0.0.1", port: gateway.portal, name: "iqn.2026-11.test:owner", isid: 1)
        try initiator.login(target: gateway.target("shared"))
        defer { initiator.drop() }
        let outcome = try #require(try initiator.execute([.read(lba: lba, sectors: 8)]).first)
        try #require(outcome.isGood)
        return outcome.data
    }

    /// A second gateway on the first one's bucket.
    private func neighbour(of gateway: GatewayUnderTest) throws -> GatewayUnderTest {
        let second = try GatewayUnderTest()
        let text = try String(contentsOf: second.configurationFile, encoding: .utf8)
        try text.replacingOccurrences(of: second.path("bucket").path, with: gateway.path("bucket").path)
            .write(to: second.configurationFile, atomically: true, encoding: .utf8)
        return second
    }

    @Test(.timeLimit(.minutes(4)))
    func forcedAttachFencesTheOldOwnerAndMovesTheVolumeBack() throws {
        let first = try GatewayUnderTest(settings: "commit: {interval: 2s}")
        defer { first.tearDown() }
        let second = try neighbour(of: first)
        defer { second.tearDown() }
        try first.start()
        try first.sluice("volume", "create", "shared", "--size", "1GiB")
        try first.waitForTarget("shared")
        #expect(try write(0x11, lba: 0, through: first).isGood)
        try first.sluice("volume", "sync", "shared")

        try second.start()
        let refusal = #expect(throws: GatewayUnderTest.CommandFailure.self) {
            try second.sluice("volume", "attach", "shared")
        }
        #expect(refusal?.error.contains("--force") == true, "\(refusal.map(String.init(describing:)) ?? "")")
        try second.sluice("volume", "attach", "shared", "--force")
        try second.waitForTarget("shared")
        #expect(try read(lba: 0, through: second) == [UInt8](repeating: 0x11, count: 4096))
        #expect(try write(0x22, lba: 8, through: second).isGood)

        // The old owner takes one more write at most; its next commit tells it.
        _ = try write(0x33, lba: 0, through: first)
        try first.wait("the first gateway is fenced", seconds: 20) {
            (try? first.sluice("volume", "show", "shared").contains("fenced")) ?? false
        }
        #expect(try !write(0x44, lba: 0, through: first).isGood)
        try second.sluice("volume", "sync", "shared")
        #expect(try read(lba: 0, through: second) == [UInt8](repeating: 0x11, count: 4096))
        #expect(try read(lba: 8, through: second) == [UInt8](repeating: 0x22, count: 4096))

        // A restart does not make it the owner again.
        first.killAll()
        try first.start()
        try first.wait("the restarted gateway says so", seconds: 20) {
            (try? first.sluice("volume", "show", "shared").contains("owns the volume now")) ?? false
        }

        // It is moved back by force, as of what the bucket has; what only the old journal has stays there.
        second.stop()
        #expect(try first.sluice("volume", "discover").contains("fenced"))
        let hint = #expect(throws: GatewayUnderTest.CommandFailure.self) {
            try first.sluice("volume", "attach", "shared")
        }
        #expect(hint?.error.contains("--force") == true, "\(hint.map(String.init(describing:)) ?? "")")
        let attached = try first.sluice("volume", "attach", "shared", "--force")
        let place = try #require(attached.firstMatch(of: /kept in (\S+set-aside-[0-9]+)/)).output.1
        #expect(try FileManager.default.contentsOfDirectory(atPath: String(place)).contains { $0.hasSuffix(".seg") })
        try first.waitForTarget("shared")
        #expect(try read(lba: 0, through: first) == [UInt8](repeating: 0x11, count: 4096))
        #expect(try read(lba: 8, through: first) == [UInt8](repeating: 0x22, count: 4096))
        #expect(try write(0x55, lba: 0, through: first).isGood)
        try first.sluice("volume", "sync", "shared")
    }

    @Test(.timeLimit(.minutes(3)))
    func aRestoredCopyOfTheStateRefusesToServe() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {interval: 2s}")
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "shared", "--size", "1GiB")
        try gateway.waitForTarget("shared")
        #expect(try write(0x11, lba: 0, through: gateway).isGood)
        try gateway.sluice("volume", "sync", "shared")
        gateway.killAll()
        let copy = gateway.path("copy")
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        for name in ["state", "journal"] {
            try FileManager.default.copyItem(at: gateway.path(name), to: copy.appendingPathComponent(name))
        }
        try gateway.start()
        try gateway.waitForTarget("shared")
        #expect(try write(0x22, lba: 0, through: gateway).isGood)
        try gateway.sluice("volume", "sync", "shared")
        gateway.killAll()
        for name in ["state", "journal"] {
            try FileManager.default.removeItem(at: gateway.path(name))
            try FileManager.default.moveItem(at: copy.appendingPathComponent(name), to: gateway.path(name))
        }
        try gateway.start()
        try gateway.wait("the old copy is refused", seconds: 20) {
            (try? gateway.sluice("volume", "show", "shared").contains("old copy")) ?? false
        }
    }
}
