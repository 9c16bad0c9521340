// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import TestSupport
import Testing
import Wire

/// Volumes that are owned by lease: who may take them, and when. Each gateway has a clock of its own; one that is not
/// told that time passes stands still.
struct LeaseTests {
    private func standbys(of gateway: GatewayHarness) throws -> [Standby] {
        let path = gateway.directory + "/standbys"
        return try StandbyFiles(SlotFolders(path)).contents(of: path).records
    }

    private static let lease: UInt64 = 10

    private func pattern(_ seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return random.bytes(4096)
    }

    private func owner(lease seconds: UInt64 = lease) throws -> (GatewayHarness, VolumeDescription) {
        let gateway = try GatewayHarness(gateway: 1)
        return (gateway, try gateway.createLeased(seconds: seconds))
    }

    private func neighbour(of gateway: GatewayHarness, gateway id: UInt64 = 2) throws -> GatewayHarness {
        try GatewayHarness(bucket: gateway.bucket, gateway: id)
    }

    private func pass(_ seconds: Int, at gateways: GatewayHarness...) {
        for _ in 0..<seconds * 2 { for gateway in gateways { gateway.pass(0.5) } }
    }

    // MARK: Owning

    @Test func aLeaseIsRenewedAndAnExclusiveVolumeIsLeftAlone() throws {
        let (gateway, volume) = try owner()
        #expect(volume.lease == VolumeLease(milliseconds: 10_000, isHeld: true))
        let head = try #require(try gateway.bucket.head(volume.id))
        #expect(head.ownership == .lease && head.leaseMilliseconds == 10_000)
        pass(20, at: gateway)
        let renewal = try #require(try gateway.bucket.head(volume.id)?.renewal)
        #expect(renewal.run == head.renewal?.run && renewal.number >= 5)
        #expect(gateway.control.list().volumes[0].lease?.isHeld == true)

        let other = try GatewayHarness()
        let exclusive = try other.create()
        #expect(exclusive.lease == nil)
        try other.write(pattern(1), to: exclusive.id, sector: 0)
        _ = try other.sync("db")
        // The last fold takes in what was committed, a quarter of an hour later.
        for _ in 0..<120 { other.pass(15) }
        let work = other.bucket.workCount
        for _ in 0..<240 { other.pass(15) }
        #expect(other.bucket.workCount == work, "an idle exclusive volume asks nothing of the bucket")
    }

    @Test(arguments: [0, 4, 601] as [UInt64]) func leasesHaveBounds(seconds: UInt64) throws {
        let gateway = try GatewayHarness()
        let fault = try gateway.fault { try gateway.createLeased(seconds: seconds) }
        #expect(fault.code == .invalidArgument && fault.message.contains("5 seconds to 10 minutes"))
    }

    /// An answer that does not come must leave time to ask again.
    @Test(arguments: [(5, 1000), (20, 2500), (600, 15_000)] as [(UInt64, UInt32)])
    func headIsAskedForWithinAFractionOfTheLease(_ seconds: UInt64, _ milliseconds: UInt32) throws {
        let (owner, volume) = try owner(lease: seconds)
        let taker = try neighbour(of: owner)
        let attaching = taker.attachLater("db")
        for gateway in [owner, taker] {
            gateway.holdsJob = { work in
                switch work {
                case .putObject(BucketLayout.head(volume.id), _), .getObject(BucketLayout.head(volume.id)): true
                default: false
                }
            }
            for _ in 0..<seconds where gateway.jobs.isEmpty { gateway.pass(1) }
            #expect(gateway.jobs.map(\.timeoutMilliseconds) == [milliseconds] && attaching.result == nil)
        }
    }

    @Test func nothingIsAnsweredWhileTheLeaseIsLost() throws {
        let (gateway, volume) = try owner()
        gateway.isBucketReachable = false
        pass(10, at: gateway)
        let description = gateway.control.list().volumes[0]
        #expect(description.lease?.isHeld == false && description.status == .uploadStalled)
        #expect(gateway.reports.contains(.leaseLapsed))
        #expect(gateway.shard.volumes[volume.id]?.engine?.statistics.lease?.lapseCount == 1)
        let number = gateway.submit(.write, volume.id, sector: 0, count: 8, payload: pattern(2))
        gateway.run()
        #expect(gateway.takeAnswer(number) == nil)
        gateway.isBucketReachable = true
        pass(40, at: gateway)
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        #expect(gateway.control.list().volumes[0].lease?.isHeld == true)
    }

    // MARK: Attaching

    @Test func attachingWaitsForTheWholeLeaseAndTheOldOwnerFindsOut() throws {
        let (first, volume) = try owner()
        try first.write(pattern(3), to: volume.id, sector: 0)
        _ = try first.sync("db")
        try first.write(pattern(4), to: volume.id, sector: 8)
        let objects = Set(first.bucket.objects.keys)
        let second = try neighbour(of: first)
        let attaching = second.attachLater("db")
        pass(9, at: second)
        #expect(attaching.result == nil)
        pass(2, at: second)
        let taken = try #require(try attaching.result?.get())
        #expect(taken.generation == 2 && taken.lease?.isHeld == true && taken.status == .available)
        #expect(try second.read(volume.id, sector: 0, count: 8) == pattern(3))

        // It wakes up much later, with a commit that is overdue.
        let number = first.submit(.write, volume.id, sector: 16, count: 8, payload: pattern(5))
        first.pass(60)
        first.run()
        #expect(first.takeAnswer(number)?.reply.status != .good)
        #expect(first.control.list().volumes[0].status == .fenced)
        #expect(first.control.list().volumes[0].statusReason.contains("--standby"))
        #expect(try first.bucket.head(volume.id)?.generation == Generation(2))
        #expect(Set(first.bucket.objects.keys) == objects, "it stored nothing")
        #expect(try second.read(volume.id, sector: 8, count: 8).allSatisfy { $0 == 0 })
    }

    @Test func anOwnerThatRenewsKeepsItsVolume() throws {
        let (first, _) = try owner()
        let second = try neighbour(of: first)
        let attaching = second.attachLater("db")
        pass(5, at: first, second)
        let fault = try #require(throws: BusFault.self) { try attaching.result?.get() }
        #expect(fault.code == .ownedElsewhere)
        #expect(fault.message.contains(first.gateway.description) && fault.message.contains("renews"))
        #expect(fault.message.contains("--standby") && fault.message.contains("--force"))
        let work = second.bucket.workCount
        pass(60, at: second)
        #expect(second.bucket.workCount == work, "nobody waits any more")
    }

    @Test func whoeverGivesUpWaitingTakesNothing() throws {
        let (first, volume) = try owner(lease: 60)
        let second = try neighbour(of: first)
        let attaching = second.attachLater("db", within: .seconds(20))
        pass(21, at: second)
        let fault = try #require(throws: BusFault.self) { try attaching.result?.get() }
        #expect(fault.code == .deadlineExceeded && fault.message.contains("--standby"), "\(fault)")
        pass(120, at: second)
        #expect(second.control.list().volumes.isEmpty)
        #expect(try first.bucket.head(volume.id)?.owner == first.gateway)
    }

    @Test func whatWasShutDownCleanlyIsTakenAtOnce() throws {
        let (first, volume) = try owner()
        try first.write(pattern(6), to: volume.id, sector: 0)
        first.control.stop {}
        first.run()
        #expect(try first.bucket.head(volume.id)?.cleanShutdown == true)
        let second = try neighbour(of: first)
        #expect(try second.attach("db").generation == 2)
        #expect(try second.read(volume.id, sector: 0, count: 8) == pattern(6))
    }

    @Test func anOwnerAnswersNothingOnceItHandsTheVolumeOver() throws {
        let (first, volume) = try owner()
        #expect(try first.read(volume.id, sector: 0, count: 8).count == 4096)
        var number: UInt64?
        first.bucket.willPut = { _, bytes in
            guard (try? HeadFormat.decode(bytes))?.cleanShutdown == true else { return }
            number = first.submit(.read, volume.id, sector: 0, count: 8)
        }
        first.control.stop {}
        first.run()
        #expect(first.takeAnswer(try #require(number))?.reply.status != .good)
        #expect(try first.bucket.head(volume.id)?.cleanShutdown == true)
    }

    @Test func anOwnerThatStartedAgainIsNotGone() throws {
        let (first, volume) = try owner()
        first.control.stop {}
        first.run()
        try first.restart()
        first.pass(0.1)
        #expect(try first.bucket.head(volume.id)?.cleanShutdown == false)
        let second = try neighbour(of: first)
        let attaching = second.attachLater("db")
        pass(9, at: second)
        #expect(attaching.result == nil)
    }

    // MARK: Standing by

    @Test func aStandbyTakesOverAndItsRecordGoes() throws {
        let (first, volume) = try owner()
        let second = try neighbour(of: first)
        let standby = try second.standBy("db")
        #expect(standby.status == .standby && standby.lease?.owner == first.gateway && standby.lease?.isHeld == true)
        #expect(try second.standBy("db").id == volume.id, "again changes nothing")
        pass(60, at: first, second)
        #expect(second.control.list().volumes.map(\.status) == [.standby])
        #expect(try second.fault { _ = try second.sync("db") }.message.contains("on standby"))
        pass(11, at: second)
        #expect(second.control.list().volumes.map(\.status) == [.available])
        #expect(
            second.standbyReports == [
                .taking(owner: first.gateway, isHandedOver: false), .taken(generation: Generation(2)),
            ])
        #expect(try standbys(of: second).isEmpty)
        try second.restart()
        #expect(second.control.list().volumes.map(\.status) == [.available])
    }

    @Test func aStandbySurvivesARestartAndWaitsAnew() throws {
        let (first, volume) = try owner()
        let second = try neighbour(of: first)
        try second.standBy("db")
        pass(8, at: second)
        try second.restart()
        #expect(second.control.list().volumes.map(\.status) == [.standby])
        pass(9, at: second)
        #expect(try first.bucket.head(volume.id)?.owner == first.gateway)
        pass(2, at: second)
        #expect(try first.bucket.head(volume.id)?.owner == second.gateway)
        #expect(second.control.list().volumes.map(\.status) == [.available])
    }

    /// Also if both are the same gateway, as a machine and its copy are.
    @Test(arguments: [3, 2] as [UInt64]) func ofTwoTakersOneWinsAndTheOtherWaitsAgain(other id: UInt64) throws {
        let (first, volume) = try owner()
        let second = try neighbour(of: first)
        let third = try neighbour(of: first, gateway: id)
        try second.standBy("db")
        try third.standBy("db")
        pass(9, at: second, third)
        // The second's HEAD lands while the third's is on its way.
        first.bucket.willPut = { key, bytes in
            guard key == BucketLayout.head(volume.id), let head = try? HeadFormat.decode(bytes),
                head.owner == third.gateway
            else { return }
            first.bucket.willPut = nil
            for _ in 0..<4 { second.pass(0.5) }
        }
        pass(2, at: third)
        #expect(try first.bucket.head(volume.id)?.owner == second.gateway)
        #expect(third.standbyReports.contains(.lostRace))
        #expect(third.control.list().volumes.map(\.status) == [.standby])
        #expect(second.control.list().volumes.map(\.status) == [.available])
        pass(60, at: second, third)
        #expect(second.control.list().volumes.map(\.status) == [.available])
        #expect(third.control.list().volumes.map(\.status) == [.standby])
        pass(11, at: third)
        #expect(try first.bucket.head(volume.id)?.owner == third.gateway)
        #expect(try first.bucket.head(volume.id)?.generation == Generation(3))
    }

    @Test func aFencedGatewayFollowsTheNewOwnerAndGetsTheVolumeBack() throws {
        let (first, volume) = try owner()
        try first.write(pattern(7), to: volume.id, sector: 0)
        _ = try first.sync("db")
        try first.write(pattern(8), to: volume.id, sector: 8)
        let second = try neighbour(of: first)
        try second.standBy("db")
        pass(11, at: second)
        try second.write(pattern(9), to: volume.id, sector: 16)
        first.pass(4)
        #expect(first.control.list().volumes.map(\.status) == [.fenced])
        #expect(try first.fault { _ = try first.attach("db") }.message.contains("--standby"))
        let standby = try first.standBy("db")
        #expect(standby.status == .standby)
        #expect(standby.statusReason.contains(first.directory + "/journal-a/\(volume.id).set-aside-"))
        pass(30, at: first, second)
        #expect(first.control.list().volumes.map(\.status) == [.standby])
        second.control.stop {}
        second.run()
        pass(2, at: first)
        #expect(first.control.list().volumes.map(\.status) == [.available])
        #expect(first.standbyReports.contains(.taking(owner: second.gateway, isHandedOver: true)))
        #expect(try first.read(volume.id, sector: 0, count: 8) == pattern(7))
        #expect(try first.read(volume.id, sector: 8, count: 8).allSatisfy { $0 == 0 })
        #expect(try first.read(volume.id, sector: 16, count: 8) == pattern(9))
        try second.restart()
        #expect(second.control.list().volumes.map(\.status) == [.fenced])
    }

    @Test func aStandbyCanBeCancelled() throws {
        let (first, volume) = try owner()
        let second = try neighbour(of: first)
        try second.standBy("db")
        _ = try second.standBy("db", .cancel)
        #expect(second.control.list().volumes.isEmpty)
        pass(60, at: second)
        try second.restart()
        pass(60, at: second)
        #expect(second.control.list().volumes.isEmpty)
        #expect(try first.bucket.head(volume.id)?.owner == first.gateway)
        #expect(try second.fault { _ = try second.standBy("db", .cancel) }.code == .unknownVolume)
    }

    @Test func aStandbyEndsWithItsVolumeOrByForce() throws {
        let (first, _) = try owner()
        let second = try neighbour(of: first)
        try second.standBy("db")
        let _: VolumeDeleteRequest.Reply = try first.await {
            first.control.delete(
                VolumeDeleteRequest(volume: VolumeReference("db")), within: .seconds(30), answer: $0)
        }
        pass(2, at: second)
        #expect(second.control.list().volumes.isEmpty && second.standbyReports == [.volumeDeleted])
        try first.createLeased(seconds: Self.lease)
        try second.standBy("db")
        #expect(try second.attach("db", force: true).status == .available)
        pass(2, at: second)
        #expect(second.control.list().volumes.map(\.status) == [.available])
        #expect(try standbys(of: second).isEmpty)
    }

    @Test func aStandbyKeepsItsNameAndItsSpace() throws {
        let (first, _) = try owner()
        let second = try neighbour(of: first)
        try second.standBy("db")
        #expect(try second.fault { try second.create("db") }.code == .nameTaken)
        for name in ["one", "two", "three"] { try second.create(name) }
        #expect(try second.fault { try second.create("four") }.code == .insufficientSpace)
        pass(11, at: second)
        #expect(second.control.list().volumes.map(\.status) == [.available, .available, .available, .available])
    }

    @Test func onlyVolumesUnderALeaseHaveStandbys() throws {
        let first = try GatewayHarness(gateway: 1)
        try first.create()
        let second = try neighbour(of: first)
        let fault = try second.fault { try second.standBy("db") }
        #expect(fault.code == .ownedElsewhere && fault.message.contains("--ownership lease"))
        #expect(try first.fault { try first.standBy("db") }.code == .inUse)
        #expect(try second.fault { _ = try second.attach("db") }.message.contains("--force"))
    }
}
