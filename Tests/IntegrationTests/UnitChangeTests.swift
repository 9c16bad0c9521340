// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import TestInitiator
import Testing

/// What initiators see when a volume changes under them, and what access rules keep from them.
@Suite(.serialized) struct UnitChangeTests {
    private func initiator(
        _ gateway: GatewayUnderTest, _ name: String = "one", login volume: String? = "disk"
    ) throws -> Initiator {
        let initiator = Initiator(
            host: gateway.portalHost, port: gateway.portal, name: "iqn.2026-11.test:\(name)", isid: 1,
            timeoutSeconds: 30)
        if let volume { try initiator.login(target: gateway.target(volume)) }
        return initiator
    }

    private func run(_ command: InitiatorCommand, _ initiator: Initiator) throws -> CommandOutcome {
        try #require(try initiator.execute([command]).first)
    }

    private func capacity(_ initiator: Initiator) throws -> UInt64 {
        let cdb: [UInt8] = [0x9e, 0x10] + [UInt8](repeating: 0, count: 11) + [32, 0, 0]
        let data = try run(InitiatorCommand(cdb: cdb, dataInByteCount: 32), initiator).data
        return data[..<8].reduce(0) { $0 << 8 | UInt64($1) } + 1
    }

    private func withVolume(settings: String = "", _ work: (GatewayUnderTest) throws -> Void) throws {
        let gateway = try GatewayUnderTest(settings: settings)
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.wait("the target", seconds: 20) { (try? initiator(gateway)) != nil || !settings.isEmpty }
        try work(gateway)
    }

    private func attention(_ outcome: CommandOutcome, _ asc: UInt8, _ ascq: UInt8) -> Bool {
        outcome.senseCode.map { $0 == (6, asc, ascq) } ?? false
    }

    @Test(.timeLimit(.minutes(5))) func aVolumeGrowsUnderItsInitiator() throws {
        try withVolume { gateway in
            let initiator = try initiator(gateway)
            let last = [UInt8](repeating: 7, count: 512)
            #expect(try run(.write(lba: (1 << 21) - 1, last), initiator).isGood)
            #expect(try run(.write(lba: 1 << 21, last), initiator).senseCode.map { $0 == (5, 0x21, 0) } ?? false)
            try gateway.sluice("volume", "resize", "disk", "--size", "3GiB")
            let told = try run(.testUnitReady, initiator)
            #expect(attention(told, 0x2a, 0x09), "capacity data has changed: \(told)")
            #expect(try capacity(initiator) == 3 << 21)
            #expect(try run(.read(lba: 1 << 21, sectors: 8), initiator).data.allSatisfy { $0 == 0 })
            #expect(try run(.write(lba: (3 << 21) - 1, last), initiator).isGood)
            #expect(throws: (any Error).self) { try gateway.sluice("volume", "resize", "disk", "--size", "2GiB") }
            gateway.killAll()
            try gateway.start()
            try gateway.waitForTarget("disk")
            let again = try self.initiator(gateway)
            #expect(try capacity(again) == 3 << 21)
            for sector in [(1 << 21) - 1, (3 << 21) - 1] as [UInt64] {
                #expect(try run(.read(lba: sector, sectors: 1), again).data == last)
            }
        }
    }

    @Test(.timeLimit(.minutes(5))) func aVolumeIsWriteProtectedRenamedAndMadeDurable() throws {
        try withVolume { gateway in
            let initiator = try initiator(gateway)
            let sector = [UInt8](repeating: 1, count: 512)
            try gateway.sluice("volume", "set", "disk", "--read-only", "on")
            #expect(attention(try run(.testUnitReady, initiator), 0x2a, 0x01))
            let refused = try run(.write(lba: 0, sector), initiator)
            #expect(refused.senseCode.map { $0 == (7, 0x27, 0) } ?? false)
            try gateway.sluice("volume", "set", "disk", "--read-only", "off", "--durability", "always")
            #expect(attention(try run(.testUnitReady, initiator), 0x2a, 0x01))
            #expect(try run(.write(lba: 0, sector), initiator).isGood)
            let caching = InitiatorCommand(cdb: [0x1a, 0x08, 0x08, 0, 255, 0], dataInByteCount: 255)
            #expect(try run(caching, initiator).data[6] & 0x04 == 0, "no write cache")
            try gateway.sluice("volume", "rename", "disk", "ledger")
            #expect(throws: InitiatorError.self) {
                for _ in 0..<100 {
                    usleep(50_000)
                    _ = try initiator.execute([.testUnitReady])
                }
            }
            try gateway.waitForTarget("ledger")
            let renamed = try self.initiator(gateway, login: "ledger")
            #expect(try run(.read(lba: 0, sectors: 1), renamed).data == sector)
        }
    }

    @Test(.timeLimit(.minutes(5))) func sanitizeErasesEverythingWhereItIsAllowed() throws {
        try withVolume { gateway in
            let initiator = try initiator(gateway)
            let data = [UInt8](repeating: 1, count: 4096)
            let erase = InitiatorCommand(cdb: [0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0])
            #expect(try run(.write(lba: 8, data), initiator).isGood)
            #expect(try run(erase, initiator).senseCode.map { $0 == (5, 0x20, 0) } ?? false, "off by default")
            try gateway.sluice("volume", "set", "disk", "--sanitize", "on")
            usleep(1_500_000)  // Frontends ask for the list of volumes once a second.
            try gateway.sluice("volume", "create", "clone", "--clone-of", "disk")
            try gateway.waitForTarget("clone")
            #expect(try run(erase, initiator).isGood)
            #expect(try run(.read(lba: 8, sectors: 8), initiator).data.allSatisfy { $0 == 0 })
            // Snapshots and clones are never touched.
            let clone = try self.initiator(gateway, login: "clone")
            #expect(try run(.read(lba: 8, sectors: 8), clone).data == data)
        }
    }

    @Test(.timeLimit(.minutes(5))) func sessionsAreListedAndEnded() throws {
        try withVolume { gateway in
            let initiator = try initiator(gateway)
            let list = try gateway.sluice("initiators", "--volume", "disk")
            #expect(list.contains("iqn.2026-11.test:one") && list.contains(gateway.target("disk")))
            #expect(try gateway.sluice("disconnect", "--initiator", "IQN.2026-11.test:one").contains("1 session ended"))
            #expect(throws: InitiatorError.self) { _ = try initiator.execute([.testUnitReady]) }
            try initiator.login(target: gateway.target("disk"))
            #expect(try run(.read(lba: 0, sectors: 1), initiator).isGood)
        }
    }

    @Test(.timeLimit(.minutes(5))) func theAccessFileDecidesWhoSeesAVolume() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "access-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ initiator: String) throws {
            try "rules:\n  - {volumes: [disk], initiators: [\"iqn.2026-11.test:\(initiator)\"]}\n"
                .write(to: file, atomically: true, encoding: .utf8)
        }
        try write("one")
        try withVolume(settings: "iscsi.access_file: \(file.path)") { gateway in
            try gateway.wait("the target", seconds: 20) { (try? initiator(gateway)) != nil }
            #expect(throws: InitiatorError.loginRefused(status: 0x0203)) { try initiator(gateway, "two") }
            let mine = try GatewayUnderTest.run(
                "iscsi-ls", ["-i", "iqn.2026-11.test:one", "iscsi://127.0.0.1:\(gateway.portal)"])
            let others = try GatewayUnderTest.run(
                "iscsi-ls", ["-i", "iqn.2026-11.test:two", "iscsi://127.0.0.1:\(gateway.portal)"])
            #expect(mine.output.contains("disk") && !others.output.contains("disk"))
            try write("two")
            try gateway.wait("the new rules hold", seconds: 10) { (try? initiator(gateway, "two")) != nil }
            #expect(throws: InitiatorError.loginRefused(status: 0x0203)) { try initiator(gateway, "one") }
        }
    }

    @Test(.timeLimit(.minutes(5))) func initiatorsProveWhoTheyAre() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "access-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: file) }
        try """
        rules:
          - volumes: ["*"]
            chap:
              - {user: alice, secret: "twelve bytes+", mutual_user: sluice, mutual_secret: "the other way"}
        """.write(to: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
        try withVolume(settings: "iscsi.access_file: \(file.path)") { gateway in
            func login(_ user: String) throws -> Int32 {
                let url = "iscsi://\(user)@127.0.0.1:\(gateway.portal)/\(gateway.target("disk"))/0"
                return try GatewayUnderTest.run("iscsi-inq", [url]).status
            }
            try gateway.wait("the target", seconds: 20) { (try? login("alice%twelve bytes+")) == 0 }
            #expect(try login("alice%twelve bytes-") != 0)
            #expect(try login("bob%twelve bytes+") != 0)
            #expect(throws: InitiatorError.loginRefused(status: 0x0201)) { try initiator(gateway) }
        }
    }
}
