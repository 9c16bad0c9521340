// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import ObjectStorage
import S3Servers
import Synchronization
import TestInitiator
import Testing
import Wire

/// Two gateways, each on a machine of its own as far as the network goes, share a bucket and a volume under a lease:
/// the second serves soon after the first stops, and the first changes nothing when it comes back.
@Suite(.serialized) struct FailoverTests {
    private static let leaseSeconds = 5.0
    private static let bound = leaseSeconds + 2

    /// Two gateways on one S3 server, with one volume that the first owns and the second stands by for.
    private final class Pair {
        let network: TestNetwork
        let server: S3Server
        let prefix: String
        let first: GatewayUnderTest
        let second: GatewayUnderTest

        init() throws {
            network = try TestNetwork(machineCount: 2)
            do {
                server = try S3Server.start(.seaweedFS, address: network.bucketAddress)
                prefix = server.freshPrefix()
                let bucket = GatewayUnderTest.S3Bucket(
                    endpoint: server.endpoint, name: server.bucket, prefix: prefix, accessKey: server.accessKey,
                    secretKey: server.secretKey)
                let settings = "commit: {interval: 2s}"
                first = try GatewayUnderTest(s3: bucket, machine: network.machines[0], settings: settings)
                second = try GatewayUnderTest(s3: bucket, machine: network.machines[1], settings: settings)
            } catch {
                network.tearDown()
                throw error
            }
        }

        func start() throws {
            try first.start()
            try first.sluice(
                "volume", "create", "shared", "--size", "1GiB", "--ownership", "lease", "--lease", "5s")
            try first.waitForTarget("shared")
            try second.start()
            let answer = try second.sluice("volume", "attach", "shared", "--standby")
            #expect(answer.contains("standby"), "\(answer)")
            #expect(try second.sluice("volume", "list").contains("standby"))
            let refusal = #expect(throws: GatewayUnderTest.CommandFailure.self) {
                try second.sluice("volume", "attach", "shared")
            }
            #expect(refusal?.error.contains("renews it") == true, "\(refusal.map(String.init(describing:)) ?? "")")
        }

        func tearDown() {
            first.tearDown()
            second.tearDown()
            server.stop()
            network.tearDown()
        }

        /// Names of packs that the volume's first owner stored.
        func packsOfFirst() async throws -> Set<String> {
            let store = try S3Fixture(server: server, prefix: prefix).openStore()
            var names: Set<String> = []
            for try await key in store.keys(prefix: "volumes/") where key.name.contains("/00000001-") {
                names.insert(key.name)
            }
            return names
        }
    }

    /// An initiator given to a thread, which alone uses it until it has ended: the proof for `Sendable`.
    private struct Lent: @unchecked Sendable {
        let initiator: Initiator
        init(_ initiator: Initiator) { self.initiator = initiator }
    }

    private func initiator(_ gateway: GatewayUnderTest, isid: UInt64 = 1) -> Initiator {
        Initiator(
            host: gateway.portalHost, port: gateway.portal, name: "iqn.2026-11.test:failover", isid: isid,
            timeoutSeconds: 15)
    }

    private func block(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 4096) }

    /// Logs in anew until the gateway serves the volume. - Returns: what it read, and when.
    private func firstRead(lba: UInt64, from gateway: GatewayUnderTest) throws -> ([UInt8], ContinuousClock.Instant) {
        var answer: ([UInt8], ContinuousClock.Instant)?
        try gateway.wait("the second gateway serves", seconds: 40) {
            let initiator = initiator(gateway)
            guard (try? initiator.login(target: gateway.target("shared"))) != nil,
                let outcome = try? initiator.execute([.read(lba: lba, sectors: 8)]).first, outcome.isGood
            else { return false }
            answer = (outcome.data, .now)
            initiator.drop()
            return true
        }
        return try #require(answer)
    }

    private func read(lba: UInt64, from gateway: GatewayUnderTest) throws -> [UInt8] {
        try firstRead(lba: lba, from: gateway).0
    }

    private func waitUntilFenced(_ gateway: GatewayUnderTest) throws {
        try gateway.wait("the first gateway is fenced", seconds: 60) {
            let text = (try? gateway.sluice("volume", "show", "shared")) ?? ""
            return text.contains("fenced") && text.contains("--standby")
        }
    }

    /// What the bucket says of the volume's owner, apart from when.
    private func owner(seenBy gateway: GatewayUnderTest) throws -> String {
        let text = try gateway.sluice("volume", "discover", "--json")
        let fields = text.split(separator: "\n").filter { $0.contains("\"owner\"") || $0.contains("\"generation\"") }
        return fields.joined()
    }

    @Test(.timeLimit(.minutes(5)))
    func thePausedOwnerIsReplacedWithinItsLeaseAndChangesNothingWhenItWakes() async throws {
        let pair = try Pair()
        defer { pair.tearDown() }
        try pair.start()
        let (first, second) = (pair.first, pair.second)
        let writer = initiator(first)
        try writer.login(target: first.target("shared"))
        #expect(try writer.execute([.write(lba: 0, block(0x11)), .flush]).allSatisfy(\.isGood))
        try first.sluice("volume", "sync", "shared")
        let before = try await pair.packsOfFirst()
        // Acknowledged, flushed and not committed: a commit is due when it wakes.
        #expect(try writer.execute([.write(lba: 8, block(0x22)), .flush]).allSatisfy(\.isGood))

        let paused = ContinuousClock.now
        try first.pause()
        defer { first.wake() }
        let (data, served) = try firstRead(lba: 0, from: second)
        let seconds = (served - paused) / .seconds(1)
        print("fail-over after a pause: \(seconds) s with a lease of \(Self.leaseSeconds) s")
        #expect(seconds <= Self.bound, "the second gateway served after \(seconds) s")
        #expect(data == block(0x11))
        #expect(try read(lba: 8, from: second) == block(0), "it was not in the bucket")
        let other = initiator(second, isid: 2)
        try other.login(target: second.target("shared"))
        #expect(try other.execute([.write(lba: 16, block(0x33)), .flush]).allSatisfy(\.isGood))
        try second.sluice("volume", "sync", "shared")
        let ownership = try owner(seenBy: second)

        // Sent to the sleeper, which finds it when it wakes.
        let outcome = Mutex<CommandOutcome?>(nil)
        let lent = Lent(writer)
        let late = Thread {
            let answer = try? lent.initiator.execute([.write(lba: 24, self.block(0x44))]).first
            outcome.withLock { $0 = answer }
        }
        late.start()
        usleep(300_000)
        first.wake()
        while !late.isFinished { usleep(50_000) }
        #expect(outcome.withLock { $0 }?.isGood != true, "a write was acknowledged by an owner that had lost the lease")
        try waitUntilFenced(first)
        let again = initiator(first, isid: 3)
        if (try? again.login(target: first.target("shared"))) != nil {
            #expect(try again.execute([.write(lba: 24, block(0x55))]).first?.isGood != true)
        }
        sleep(3)
        #expect(try owner(seenBy: second) == ownership && ownership.contains("\"generation\" : 2"), "\(ownership)")
        #expect(try await pair.packsOfFirst() == before, "the old owner stored something")
        #expect(try read(lba: 0, from: second) == block(0x11))
        #expect(try read(lba: 16, from: second) == block(0x33))
        #expect(try read(lba: 24, from: second) == block(0))
    }

    @Test(.timeLimit(.minutes(5)))
    func anOwnerThatIsCutFromTheBucketStopsAcknowledgingBeforeTheOtherServes() throws {
        let pair = try Pair()
        defer { pair.tearDown() }
        try pair.start()
        let (first, second) = (pair.first, pair.second)
        let writer = initiator(first)
        try writer.login(target: first.target("shared"))
        #expect(try writer.execute([.write(lba: 0, block(0x11)), .flush]).allSatisfy(\.isGood))
        try first.sluice("volume", "sync", "shared")

        // Its initiators still reach it, and go on writing.
        let lastAcknowledged = Mutex(ContinuousClock.now)
        let isStopped = Atomic(false)
        let lent = Lent(writer)
        let load = Thread {
            while !isStopped.load(ordering: .relaxed) {
                guard let answer = try? lent.initiator.execute([.write(lba: 8, self.block(0x22))]).first else { return }
                if answer.isGood { lastAcknowledged.withLock { $0 = .now } }
                usleep(20_000)
            }
        }
        load.start()
        usleep(500_000)
        let cut = ContinuousClock.now
        try pair.network.cutFromBucket(0)
        let (data, served) = try firstRead(lba: 0, from: second)
        let seconds = (served - cut) / .seconds(1)
        print("fail-over after a cut: \(seconds) s with a lease of \(Self.leaseSeconds) s")
        #expect(seconds <= Self.bound, "the second gateway served after \(seconds) s")
        #expect(data == block(0x11))
        usleep(500_000)
        let last = lastAcknowledged.withLock { $0 }
        #expect(last > cut, "it went on while the lease lasted")
        #expect(last < served, "two gateways acknowledged at once: \(last - served) after the other served")
        let other = initiator(second, isid: 2)
        try other.login(target: second.target("shared"))
        #expect(try other.execute([.write(lba: 16, block(0x33)), .flush]).allSatisfy(\.isGood))

        try pair.network.mend(0)
        try waitUntilFenced(first)
        isStopped.store(true, ordering: .relaxed)
        while !load.isFinished { usleep(50_000) }
        #expect(lastAcknowledged.withLock { $0 } == last, "it acknowledged again after it was mended")

        // It follows the new owner, and gets the volume back when that stops.
        let answer = try first.sluice("volume", "attach", "shared", "--standby")
        #expect(answer.contains("set-aside"), "\(answer)")
        let stopping = ContinuousClock.now
        second.stop()
        #expect(try read(lba: 16, from: first) == block(0x33))
        print("handed over \((ContinuousClock.now - stopping) / .seconds(1)) s after the owner was told to stop")
        #expect(try read(lba: 0, from: first) == block(0x11))
    }
}
