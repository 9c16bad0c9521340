// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import TestInitiator
import Testing

/// A machine that stood still for a while is no reason to cut anybody off.
@Suite(.serialized) struct PauseTests {
    @Test(.timeLimit(.minutes(2)))
    func aCacheManagerThatWasPausedKeepsItsFrontends() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let initiator = Initiator(host: "127.0.0.1", port: gateway.portal, name: "iqn.2026-11.test:pause", isid: 1)
        try initiator.login(target: gateway.target("disk"))
        defer { initiator.drop() }
        let bytes = [UInt8](repeating: 0x66, count: 4096)
        _ = try initiator.execute([.testUnitReady])
        #expect(try initiator.execute([.write(lba: 0, bytes)]).first?.isGood == true)
        let cache = try #require(gateway.serviceProcessIDs["cache-0"])
        kill(cache, SIGSTOP)
        // Longer than a frontend may be silent. The initiator goes on answering pings, or it would be cut off itself.
        let inquiry = InitiatorCommand(cdb: [0x12, 0, 0, 0, 36, 0], dataInByteCount: 36)
        for _ in 0..<16 {
            sleep(2)
            #expect(try initiator.execute([inquiry]).first?.isGood == true)
        }
        kill(cache, SIGCONT)
        #expect(try initiator.execute([.read(lba: 0, sectors: 8)]).first?.data == bytes)
        #expect(try !String(contentsOf: gateway.logFile, encoding: .utf8).contains("revoked"))
    }
}
