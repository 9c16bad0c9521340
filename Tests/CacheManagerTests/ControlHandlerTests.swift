// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Messages
import Platform
import TestSupport
import Testing
import Wire

struct ControlHandlerTests {
    private func pattern(_ seed: UInt64, _ byteCount: Int) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return random.bytes(byteCount)
    }

    @Test func aNewVolumeIsInTheBucketAndServes() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        #expect(volume.status == .available)
        #expect(volume.targetName == "iqn.2025-01.test:gw:db")
        #expect(try gateway.bucket.head(volume.id)?.owner == gateway.gateway)
        let bytes = pattern(1, 8192)
        try gateway.write(bytes, to: volume.id, sector: 8)
        #expect(try gateway.read(volume.id, sector: 8, count: 16) == bytes)
        #expect(try gateway.read(volume.id, sector: 0, count: 8).allSatisfy { $0 == 0 })
        #expect(gateway.control.list().volumes.map(\.name) == ["db"])
    }

    @Test func whatWasAcknowledgedSurvivesTheProcess() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        let bytes = pattern(2, 65_536)
        try gateway.write(bytes, to: volume.id, sector: 1024)
        try gateway.write(pattern(3, 512), to: volume.id, sector: 3)
        try gateway.restart()
        #expect(try gateway.read(volume.id, sector: 1024, count: 128) == bytes)
        #expect(try gateway.read(volume.id, sector: 3, count: 1) == pattern(3, 512))
    }

    @Test func syncBringsEverythingToTheBucket() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(pattern(4, 4096), to: volume.id, sector: 0)
        #expect(gateway.control.list().volumes[0].dirtyByteCount == 4096)
        let synced = try gateway.sync("db")
        #expect(synced.dirtyByteCount == 0)
        #expect(try gateway.bucket.head(volume.id)?.root.packs.count == 1)
    }

    @Test func aDeletedVolumeLeavesATombstoneAndNoFiles() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(pattern(5, 4096), to: volume.id, sector: 0)
        let deleted: VolumeDeleteRequest.Reply = try gateway.await {
            gateway.control.delete(
                VolumeDeleteRequest(volume: VolumeReference("db")), within: .seconds(30), answer: $0)
        }
        #expect(deleted.id == volume.id)
        #expect(try gateway.bucket.head(volume.id)?.state == .deleted)
        #expect(gateway.control.list().volumes.isEmpty)
        for name in ["volumes", "journal-a", "journal-b"] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: gateway.directory + "/" + name).isEmpty)
        }
        #expect(try gateway.perform(.read, volume.id, count: 8).reply.status == .unknownVolume)
        try gateway.restart()
        #expect(gateway.control.list().volumes.isEmpty)
        try gateway.create()
    }

    @Test func namesSizesAndSpaceAreChecked() throws {
        let gateway = try GatewayHarness()
        try gateway.create("one")
        #expect(try gateway.fault { try gateway.create("one") }.code == .nameTaken)
        #expect(try gateway.fault { try gateway.create("Two") }.code == .invalidArgument)
        #expect(try gateway.fault { try gateway.create("two", gibibytes: 0) }.code == .invalidArgument)
        #expect(try gateway.fault { try gateway.create("two", gibibytes: nil) }.code == .invalidArgument)
        for name in ["two", "three", "four"] { try gateway.create(name) }
        #expect(try gateway.fault { try gateway.create("five") }.code == .insufficientSpace)
        #expect(gateway.control.list().volumes.count == 4)
    }

    @Test func unknownVolumesAndSnapshotsAreNamed() throws {
        let gateway = try GatewayHarness()
        #expect(try gateway.fault { _ = try gateway.sync("nope") }.message.contains("nope"))
        let missing = SnapshotID(rawValue: 9)
        let fault = try gateway.fault { try gateway.create("clone", gibibytes: nil, from: missing) }
        #expect(fault.code == .unknownSnapshot)
        #expect(fault.message.contains(missing.description))
    }

    @Test func aVolumeFromASnapshotHoldsItsData() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        let bytes = pattern(6, 16_384)
        try gateway.write(bytes, to: volume.id, sector: 64)
        let snapshot = SnapshotID(rawValue: 7)
        try gateway.cut("db", first: 7)
        try gateway.settle()
        try gateway.write(pattern(7, 16_384), to: volume.id, sector: 64)

        let clone = try gateway.create("clone", gibibytes: 2, from: snapshot)
        #expect(clone.sourceSnapshot == snapshot)
        #expect(try gateway.read(clone.id, sector: 64, count: 32) == bytes)
        #expect(try gateway.read(volume.id, sector: 64, count: 32) == pattern(7, 16_384))
    }

    @Test func aVolumeIsNotTakenFromAnotherGatewayWithoutForce() throws {
        let first = try GatewayHarness(gateway: 1)
        let volume = try first.create()
        let bytes = pattern(8, 4096)
        try first.write(bytes, to: volume.id, sector: 0)
        _ = try first.sync("db")

        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        let found: VolumeDiscoverRequest.Reply = try second.await {
            second.control.discover(within: .seconds(30), answer: $0)
        }
        #expect(found.volumes.map(\.name) == ["db"])
        #expect(found.volumes.map(\.owner) == [first.gateway])
        let fault = try second.fault { _ = try second.attach("db") }
        #expect(fault.code == .ownedElsewhere)
        #expect(fault.message.contains(first.gateway.description))
        #expect(fault.message.contains("--force"))

        let taken = try second.attach(volume.id.description, force: true)
        #expect(taken.generation == volume.generation + 1)
        #expect(try second.read(volume.id, sector: 0, count: 8) == bytes)
        try first.write(bytes, to: volume.id, sector: 8)
        #expect(try first.fault { _ = try first.sync("db") }.code == .fenced)
        #expect(first.control.list().volumes[0].status == .fenced)
        #expect(try first.perform(.read, volume.id, count: 8).reply.status == .fenced)
    }

    @Test func ourOwnVolumeWithLostStateSaysThatACopyMightRun() throws {
        let gateway = try GatewayHarness()
        try gateway.create()
        let again = try GatewayHarness(bucket: gateway.bucket)
        let fault = try again.fault { _ = try again.attach("db") }
        #expect(fault.code == .ownedElsewhere)
        #expect(fault.message.contains("copy of this gateway"))
        #expect(try again.attach("db", force: true).status == .available)
        #expect(try again.fault { _ = try again.attach("db") }.code == .inUse)
    }

    @Test func aVolumeThatWasStoppedCleanlyIsHandedOverComplete() throws {
        let first = try GatewayHarness(gateway: 1)
        let volume = try first.create()
        let bytes = pattern(9, 4096)
        try first.write(bytes, to: volume.id, sector: 0)
        var isStopped = false
        first.control.stop { isStopped = true }
        first.run()
        #expect(isStopped)
        #expect(try first.bucket.head(volume.id)?.cleanShutdown == true)
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        // Its owner may have started again and serve without the bucket: only a person can know that it has not.
        let fault = try second.fault { _ = try second.attach("db") }
        #expect(fault.code == .ownedElsewhere && fault.message.contains("cleanly"))
        _ = try second.attach("db", force: true)
        #expect(try second.read(volume.id, sector: 0, count: 8) == bytes)
    }

    @Test func aVolumeThatIsBeingDeletedSaysWhatItWaitsFor() throws {
        let gateway = try GatewayHarness()
        try gateway.create()
        gateway.isBucketReachable = false
        gateway.control.delete(VolumeDeleteRequest(volume: VolumeReference("db")), within: .seconds(5)) { _ in }
        gateway.run()
        let first = gateway.control.list().volumes.first
        #expect(first?.status == .deleting && first?.statusReason == "being marked as deleted in the bucket")
        for _ in 0..<120 { gateway.pass(1) }
        let later = gateway.control.list().volumes.first
        #expect(later?.status == .deleting)
        let reason = later?.statusReason ?? ""
        #expect(reason.hasPrefix("being marked as deleted in the bucket: ") && reason.contains("in time"), "\(reason)")
        gateway.isBucketReachable = true
        for _ in 0..<120 { gateway.pass(1) }
        #expect(gateway.control.list().volumes.isEmpty)
    }

    @Test func aCallerIsToldWhyItWaitsAndTheWorkGoesOn() throws {
        let gateway = try GatewayHarness()
        gateway.isBucketReachable = false
        var answer: Result<VolumeDescription, BusFault>?
        gateway.control.create(
            VolumeCreateRequest(name: "db", byteCount: GatewayHarness.gibibyte), within: .seconds(5)
        ) { answer = $0 }
        gateway.run()
        #expect(answer == nil)
        #expect(gateway.control.list().volumes.map(\.status) == [.creating])
        gateway.pass(6)
        let fault = try #require(throws: BusFault.self) { try answer?.get() }
        #expect(fault.code == .deadlineExceeded)
        #expect(fault.message.contains("being created"))
        #expect(gateway.control.openCallCount == 0)
        gateway.isBucketReachable = true
        for _ in 0..<4 { gateway.pass(5) }
        #expect(gateway.control.list().volumes.map(\.status) == [.available])
    }

    @Test func aDeleteThatWasCutShortCanBeFinished() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        var tombstone = try #require(try gateway.bucket.head(volume.id))
        tombstone.state = .deleted
        tombstone.commit = CommitID(high: 1, low: 1)
        tombstone.commitNumber += 1
        gateway.bucket.put(BucketLayout.head(volume.id), try HeadFormat.encode(tombstone))
        try gateway.restart()
        #expect(gateway.control.list().volumes.map(\.status) == [.fenced])
        let deleted: VolumeDeleteRequest.Reply = try gateway.await {
            gateway.control.delete(
                VolumeDeleteRequest(volume: VolumeReference("db")), within: .seconds(30), answer: $0)
        }
        #expect(deleted.id == volume.id)
        #expect(gateway.control.list().volumes.isEmpty)
    }

    @Test func theJournalOfAFencedVolumeIsNotThrownAway() throws {
        let first = try GatewayHarness(gateway: 1)
        let volume = try first.create()
        try first.write(pattern(10, 4096), to: volume.id, sector: 0)
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        _ = try second.attach("db", force: true)
        _ = try? first.sync("db")
        let fault = try first.fault {
            let _: VolumeDeleteRequest.Reply = try first.await {
                first.control.delete(
                    VolumeDeleteRequest(volume: VolumeReference("db")), within: .seconds(30), answer: $0)
            }
        }
        #expect(fault.code == .fenced)
        #expect(fault.message.contains(first.directory + "/journal-a"))
        #expect(try !first.shard.journals.segments(of: volume.id).isEmpty)
        #expect(try second.bucket.head(volume.id)?.state == .live)
    }

    @Test func aFencedVolumeIsTakenBackByForceAndItsJournalSetAside() throws {
        let first = try GatewayHarness(gateway: 1)
        let volume = try first.create()
        try first.write(pattern(12, 4096), to: volume.id, sector: 0)
        _ = try first.sync("db")
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        _ = try second.attach("db", force: true)
        try second.write(pattern(13, 4096), to: volume.id, sector: 8)
        _ = try second.sync("db")
        try first.write(pattern(14, 4096), to: volume.id, sector: 16)
        _ = try? first.sync("db")
        #expect(first.control.list().volumes[0].status == .fenced)

        let refusal = try first.fault { _ = try first.attach("db") }
        #expect(refusal.code == .inUse && refusal.message.contains("--force"))
        let back = try first.attach("db", force: true)
        #expect(back.status == .available && back.generation == volume.generation + 2)
        let kept = try FileManager.default.contentsOfDirectory(atPath: first.directory + "/journal-a")
        #expect(kept.contains { $0.hasPrefix("\(volume.id).set-aside-") })
        #expect(back.statusReason.contains(first.directory + "/journal-a/\(volume.id).set-aside-"))
        #expect(try first.read(volume.id, sector: 0, count: 8) == pattern(12, 4096))
        #expect(try first.read(volume.id, sector: 8, count: 8) == pattern(13, 4096))
        #expect(try first.read(volume.id, sector: 16, count: 8).allSatisfy { $0 == 0 })
        try first.write(pattern(15, 4096), to: volume.id, sector: 16)
        try first.restart()
        #expect(first.control.list().volumes.map(\.status) == [.available])
        #expect(try first.read(volume.id, sector: 16, count: 8) == pattern(15, 4096))
    }

    @Test func stoppingDoesNotWaitForABucketThatIsAway() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        let bytes = pattern(11, 4096)
        try gateway.write(bytes, to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        var isStopped = false
        gateway.control.stop(within: .seconds(5)) { isStopped = true }
        gateway.run()
        #expect(!isStopped)
        #expect(try gateway.fault { try gateway.create("other") }.code == .notReady)
        gateway.pass(6)
        #expect(isStopped)
        gateway.isBucketReachable = true
        try gateway.restart()
        #expect(try gateway.read(volume.id, sector: 0, count: 8) == bytes)
    }
}
