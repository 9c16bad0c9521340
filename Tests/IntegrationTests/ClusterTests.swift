// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Synchronization
import TestInitiator
import Testing

/// What clusters do with a volume that all their nodes see, each through a frontend of its own: reservations, locks by
/// COMPARE AND WRITE, and the deaths of nodes and services in between.
@Suite(.serialized) struct ClusterTests {
    private static let conflict: UInt8 = 0x18
    private static let writeExclusiveRegistrantsOnly: UInt8 = 5

    /// A node of a cluster, with its key.
    private final class Node {
        let initiator: Initiator
        let key: UInt64
        private let gateway: GatewayUnderTest

        init(_ gateway: GatewayUnderTest, portal: UInt16, number: UInt64) throws {
            self.gateway = gateway
            key = 0x5e11_0000 + number
            initiator = Initiator(
                host: "127.0.0.1", port: portal, name: "iqn.2026-11.test:node-\(number)", isid: number,
                timeoutSeconds: 30)
            try login()
        }

        func login() throws {
            try gateway.wait("login", seconds: 20) {
                (try? initiator.login(target: gateway.target("shared"))) != nil
            }
        }

        func run(_ command: InitiatorCommand) throws -> CommandOutcome {
            try #require(try initiator.execute([command]).first)
        }

        /// - Returns: the status.
        func reserveOut(
            _ action: UInt8, key: UInt64? = nil, newKey: UInt64 = 0, type: UInt8 = 0, persists: Bool = false
        ) throws -> UInt8 {
            let list = Self.bytes(key ?? self.key) + Self.bytes(newKey) + [0, 0, 0, 0, persists ? 1 : 0, 0, 0, 0]
            return try run(
                InitiatorCommand(cdb: [0x5f, action, type, 0, 0, 0, 0, 0, UInt8(list.count), 0], dataOut: list)
            ).status
        }

        func register(persists: Bool = false) throws -> UInt8 {
            try reserveOut(6, key: 0, newKey: key, persists: persists)
        }

        func keys() throws -> Set<UInt64> {
            let data = try run(InitiatorCommand(cdb: [0x5e, 0, 0, 0, 0, 0, 0, 1, 0, 0], dataInByteCount: 256)).data
            let end = 8 + data[4..<8].reduce(0) { $0 << 8 | Int($1) }
            return Set(
                stride(from: 8, to: end, by: 8).map { start in
                    data[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
                })
        }

        func write(_ byte: UInt8) throws -> CommandOutcome {
            try run(.write(lba: 0, [UInt8](repeating: byte, count: 512)))
        }
        func read() throws -> CommandOutcome { try run(.read(lba: 0, sectors: 1)) }

        private static func bytes(_ value: UInt64) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
        }
    }

    private func shared(_ work: (GatewayUnderTest, SecondFrontend) throws -> Void) throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "shared", "--size", "1GiB")
        try gateway.waitForTarget("shared")
        let second = try SecondFrontend(gateway)
        defer { second.kill() }
        try work(gateway, second)
    }

    /// Register, reserve, fence the other node and take over, through the deaths of the services in between.
    @Test(.timeLimit(.minutes(5))) func twoNodesFenceEachOtherThroughTwoFrontends() throws {
        try shared { gateway, second in
            let first = try Node(gateway, portal: gateway.portal, number: 1)
            let other = try Node(gateway, portal: second.portal, number: 2)
            #expect(try first.register(persists: true) == 0)
            #expect(try other.register(persists: true) == 0)
            #expect(try first.keys() == [first.key, other.key])
            #expect(try first.reserveOut(1, type: Self.writeExclusiveRegistrantsOnly) == 0)
            #expect(try first.write(1).isGood)
            #expect(try other.write(2).isGood, "registrants may write")

            let stranger = try Node(gateway, portal: second.portal, number: 3)
            #expect(try stranger.read().isGood)
            #expect(try stranger.write(9).status == Self.conflict)

            // Nobody notices that the owner of the state was started again. What it has answered a registrant, with all
            // before it, is on the disk.
            #expect(try other.keys() == [first.key, other.key])
            try gateway.killService("cache-0")
            #expect(try stranger.write(9).status == Self.conflict)
            #expect(try other.write(3).isGood)
            #expect(try other.keys() == [first.key, other.key])

            // The other node fences the first: what that one still sends is refused, and it learns why.
            #expect(try other.reserveOut(5, newKey: first.key, type: Self.writeExclusiveRegistrantsOnly) == 0)
            let refused = try first.write(1)
            #expect(refused.senseCode.map { $0 == (6, 0x2a, 0x05) } ?? false, "registrations preempted: \(refused)")
            #expect(try first.write(1).status == Self.conflict)
            #expect(try first.read().data.first == 3)
            #expect(try other.keys() == [other.key])

            // Its frontend dies and comes back: the registration belongs to the nexus, not to the session.
            second.kill()
            try second.start()
            try other.login()
            #expect(try other.write(4).isGood)
            #expect(try first.write(1).status == Self.conflict)

            // The fenced node comes back as a member.
            #expect(try first.register() == 0)
            #expect(try first.write(5).isGood)
            let list = try gateway.sluice("volume", "reservations", "shared")
            #expect(list.contains("write exclusive, registrants only") && list.contains("iqn.2026-11.test:node-2"))
            try gateway.sluice("volume", "reservations", "shared", "--clear")
            try stranger.login()
            #expect(try stranger.write(9).isGood)
        }
    }

    /// RESERVE is the session's: it ends with it, whatever way that ends.
    @Test(.timeLimit(.minutes(5))) func aReservationOfASessionEndsWithIt() throws {
        try shared { gateway, second in
            let first = try Node(gateway, portal: gateway.portal, number: 1)
            let other = try Node(gateway, portal: second.portal, number: 2)
            let reserve = InitiatorCommand(cdb: [0x16, 0, 0, 0, 0, 0])
            #expect(try first.run(reserve).isGood)
            #expect(try other.run(.testUnitReady).status == Self.conflict)
            try gateway.killService("cache-0")
            #expect(try other.write(1).status == Self.conflict)
            first.initiator.drop()
            try gateway.wait("the reservation is gone", seconds: 3) { (try? other.run(reserve).isGood) ?? false }
            try first.login()
            #expect(try first.read().status == Self.conflict)
            try other.initiator.logout()
            #expect(try first.write(2).isGood)
        }
    }

    /// Each lap every node adds one to a counter, as clusters take their locks: by comparing and writing until it
    /// works.
    @Test(.timeLimit(.minutes(5))) func fourInitiatorsCountExactlyThroughTwoFrontends() throws {
        try shared { gateway, second in
            let laps = 200
            let portals = [gateway.portal, second.portal]
            let problems = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 4) { index in
                do {
                    let node = try Node(gateway, portal: portals[index % 2], number: UInt64(10 + index))
                    for _ in 0..<laps {
                        while true {
                            let old = try node.read().data
                            var new = old
                            let count = old[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } + 1
                            for byte in 0..<8 { new[byte] = UInt8(truncatingIfNeeded: count >> UInt64(56 - 8 * byte)) }
                            let outcome = try node.run(.compareAndWrite(lba: 0, expected: old, new: new))
                            if outcome.isGood { break }
                            guard outcome.senseCode?.key == 0x0e else { throw Lost(what: "\(outcome)") }
                        }
                    }
                } catch {
                    problems.withLock { $0.append("\(error)") }
                }
            }
            #expect(problems.withLock { $0 } == [])
            let node = try Node(gateway, portal: gateway.portal, number: 1)
            #expect(try node.read().data[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } == UInt64(4 * laps))
        }
    }

    private struct Lost: Error { var what: String }
}
