// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import TestInitiator
import Testing

/// Several cache managers of one gateway: the supervisor's, and one that is started beside it.
@Suite(.serialized) struct SlotTests {
    private final class SecondCacheManager {
        private let process: Process

        init(_ gateway: GatewayUnderTest) throws {
            process = GatewayUnderTest.process(
                gateway.binaries.appendingPathComponent("sluice-cache").path,
                ["--config", gateway.configurationFile.path])
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        func kill() {
            Glibc.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        /// In good order: its volumes are committed.
        func stop() {
            process.terminate()
            process.waitUntilExit()
        }
    }

    private func pattern(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 65536) }

    private func initiator(_ gateway: GatewayUnderTest, _ volume: String) throws -> Initiator {
        let initiator = Initiator(
            host: gateway.portalHost, port: gateway.portal, name: "iqn.2026-11.test:slots-\(volume)", isid: 1,
            timeoutSeconds: 30)
        try gateway.wait("login to \(volume)", seconds: 20) {
            (try? initiator.login(target: gateway.target(volume))) != nil
        }
        return initiator
    }

    private func waitForSecond(_ gateway: GatewayUnderTest) throws {
        try gateway.wait("two cache managers are ready", seconds: 30) {
            ((try? gateway.sluice("status", "--service", "cache")) ?? "").components(separatedBy: " ready ").count == 3
        }
    }

    private func write(_ initiator: Initiator, at block: UInt64, _ byte: UInt8) throws {
        let answer = try #require(try initiator.execute([.write(lba: block * 128, pattern(byte))]).first)
        try #require(answer.isGood, "write of \(byte)")
    }

    private func expect(_ initiator: Initiator, at block: UInt64, _ byte: UInt8) throws {
        let answer = try #require(try initiator.execute([.read(lba: block * 128, sectors: 128)]).first)
        #expect(answer.isGood && answer.data == pattern(byte), "block \(block)")
    }

    @Test(.timeLimit(.minutes(5))) func volumesAreSpreadAndServedOnWhenTheirCacheManagerIsGone() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "first", "--size", "1GiB")
        var second = try SecondCacheManager(gateway)
        defer { second.kill() }
        try waitForSecond(gateway)
        try gateway.sluice("volume", "create", "second", "--size", "1GiB")
        let slot = gateway.path("state").appendingPathComponent("slots/1/volumes").path
        #expect(try FileManager.default.contentsOfDirectory(atPath: slot).count == 1, "the emptier one got it")
        let taken = #expect(throws: GatewayUnderTest.CommandFailure.self) {
            try gateway.sluice("volume", "create", "second", "--size", "1GiB")
        }
        #expect(taken?.status == 73 && taken?.error.contains("second") == true, "\(taken?.error ?? "")")
        #expect(try gateway.sluice("volume", "list").contains("first"))

        let (one, two) = (try initiator(gateway, "first"), try initiator(gateway, "second"))
        defer {
            one.drop()
            two.drop()
        }
        try write(one, at: 0, 1)
        try write(two, at: 0, 2)
        let group = try gateway.sluice("snapshot", "create", "first", "second", "--timeout", "60s")
        #expect(group.components(separatedBy: "snap-").count == 3, "\(group)")

        // Not in the bucket yet, only in the journal.
        try write(two, at: 1, 3)
        second.kill()
        // The session stays; its commands wait until the other one has the volume.
        try write(two, at: 2, 4)
        for (block, byte) in [(0, 2), (1, 3), (2, 4)] as [(UInt64, UInt8)] { try expect(two, at: block, byte) }
        try expect(one, at: 0, 1)
        #expect(try gateway.sluice("volume", "list").components(separatedBy: "available").count == 3)
        try gateway.sluice("volume", "sync", "second")

        // Another one gets a slot that holds nothing, and new volumes.
        second = try SecondCacheManager(gateway)
        try waitForSecond(gateway)
        try gateway.sluice("volume", "create", "third", "--size", "1GiB")
        let three = try initiator(gateway, "third")
        defer { three.drop() }
        try write(three, at: 0, 5)
        // Scaled down in good order.
        second.stop()
        try expect(three, at: 0, 5)
        try gateway.sluice("volume", "delete", "third", "--yes")
        try gateway.sluice("volume", "delete", "second", "--yes")
        try expect(one, at: 0, 1)
    }
}
