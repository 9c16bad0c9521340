// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import TestInitiator
import Testing

/// One volume through several portals, of one frontend and of two.
@Suite(.serialized) struct PortalTests {
    /// Discovery names the portal that was asked; both lead to the same disk.
    @Test(.timeLimit(.minutes(3)), .enabled(if: hasIPv6, "the loopback has no ::1"))
    func aFrontendListensOnIPv4AndIPv6() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        let second = GatewayUnderTest.freePort()
        let configuration = try String(contentsOf: gateway.configurationFile, encoding: .utf8)
        let first = "\"127.0.0.1:\(gateway.portal)\""
        try configuration.replacing("listen: [\(first)]", with: "listen: [\(first), \"[::1]:\(second)\"]")
            .write(to: gateway.configurationFile, atomically: true, encoding: .utf8)
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        for portal in ["127.0.0.1:\(gateway.portal)", "[::1]:\(second)"] {
            let found = try GatewayUnderTest.run("iscsi-ls", ["iscsi://\(portal)"])
            #expect(found.status == 0 && found.output.contains(gateway.target("disk")), "\(found)")
            #expect(found.output.contains("Portal:\(portal),1"), "\(found)")
        }
        let url = "iscsi://[::1]:\(second)/\(gateway.target("disk"))/0"
        for (command, url) in [("write -P 0x61 0 1M", gateway.url("disk")), ("read -P 0x61 0 1M", url)] {
            let done = try GatewayUnderTest.run("qemu-io", ["-f", "raw", "-c", command, url])
            #expect(done.status == 0 && !done.output.contains("failed"), "\(done)")
        }
        let sessions = try gateway.sluice("initiators", "--json")
        #expect(!sessions.contains("error"), "\(sessions)")
    }

    private static var hasIPv6: Bool {
        FileManager.default.contents(atPath: "/proc/net/if_inet6").map {
            String(decoding: $0, as: UTF8.self).hasPrefix("00000000000000000000000000000001")
                || String(decoding: $0, as: UTF8.self).contains("\n00000000000000000000000000000001")
        } ?? false
    }

    /// Multipath and clusters know a disk by these data: they are the same bytes at every path, login and restart.
    @Test(.timeLimit(.minutes(3))) func inquiryDataStayTheSame() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let second = try SecondFrontend(gateway)
        defer { second.kill() }
        let (here, there) = (try initiator(gateway, gateway.portal, 1), try initiator(gateway, second.portal, 2))
        let data = try inquiryData(here)
        #expect(data[0].count >= 36 && data[0][8..<14].elementsEqual("SLUICE".utf8) && Set(data).count == 3)
        for _ in 0..<100 { #expect(try inquiryData(here) == data) }
        #expect(try inquiryData(there) == data)
        try here.logout()
        #expect(try inquiryData(initiator(gateway, gateway.portal, 1)) == data)
        for service in ["iscsi-0", "cache-0"] {
            try gateway.killService(service)
            #expect(try inquiryData(initiator(gateway, gateway.portal, 3)) == data)
        }
    }

    private func initiator(_ gateway: GatewayUnderTest, _ portal: UInt16, _ number: UInt64) throws -> Initiator {
        let initiator = Initiator(
            host: "127.0.0.1", port: portal, name: "iqn.2026-11.test:host-\(number)", isid: number,
            timeoutSeconds: 30)
        try gateway.wait("login", seconds: 20) {
            (try? initiator.login(target: gateway.target("disk"))) != nil
        }
        return initiator
    }

    /// The standard data, and the pages of serial number and designators.
    private func inquiryData(_ initiator: Initiator) throws -> [[UInt8]] {
        try [[0x12, 0, 0], [0x12, 1, 0x80], [0x12, 1, 0x83]].map { (start: [UInt8]) in
            let command = InitiatorCommand(cdb: start + [0, 255, 0], dataInByteCount: 255)
            let outcome = try #require(try initiator.execute([command]).first)
            #expect(outcome.status == 0)
            return outcome.data
        }
    }
}
