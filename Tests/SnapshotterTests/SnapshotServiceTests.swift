// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ObjectStorage
import Snapshotter
import TestSupport
import Testing
import Wire

struct SnapshotServiceTests {
    private let id = SnapshotID(rawValue: 0xabc)
    private let request = SnapshotCreateRequest(volume: VolumeReference("disk"), description: "before the upgrade")

    @Test func aSnapshotIsPendingUntilItsCommitHasLanded() async throws {
        let harness = try SnapshotHarness()
        let made = try await harness.service.create(request, id: id)
        #expect(made.state == .pending && made.createdMilliseconds == 5000 && made.cutMilliseconds == 4500)
        #expect(made.uploadByteCount == 8192 && made.uploadedByteCount == 4096 && made.reason == "the bucket is slow")
        // Known before the bucket has heard of it, and as a record once it has.
        #expect(try await harness.service.list(SnapshotListRequest(id: id)).snapshots.map(\.state) == [.pending])
        #expect(try await harness.keeper.pass())
        let pending = try await harness.record(id)
        #expect(pending.state == .pending && pending.head == nil && pending.gateway == MemoryOwner.gateway)
        #expect(try await harness.service.list(SnapshotListRequest()).snapshots.map(\.uploadedByteCount) == [4096])

        harness.owners[0].complete(id)
        #expect(try await harness.service.list(SnapshotListRequest(id: id)).snapshots.map(\.state) == [.pending])
        #expect(try await !harness.keeper.pass())
        let record = try await harness.record(id)
        #expect(record.state == .completed && record.head == MemoryOwner.head() && record.origin == .cut)
        #expect(harness.owners[0].pending.isEmpty)
        let listed = try await harness.service.list(SnapshotListRequest()).snapshots
        #expect(listed.map(\.state) == [.completed] && listed[0].description == "before the upgrade")
    }

    @Test func aRequestThatIsRepeatedAfterARestartMakesOneSnapshot() async throws {
        let harness = try SnapshotHarness()
        _ = try await harness.service.create(request, id: id)
        _ = try await harness.service.create(request, id: id)
        #expect(harness.owners[0].pending.count == 1)
        harness.owners[0].complete(id)
        try await harness.keeper.pass()
        #expect(try await harness.service.create(request, id: id).state == .completed)
        #expect(harness.owners[0].pending.isEmpty)
    }

    @Test func oneRequestHasOneIdAndEveryOtherAnother() {
        let (caller, other) = (ServiceInstance(rawValue: 99), ServiceInstance(rawValue: 98))
        let ids = Set((0..<1000).map { SnapshotService.id(of: $0, from: caller) })
        #expect(ids.count == 1000)
        #expect(SnapshotService.id(of: 7, from: caller) == SnapshotService.id(of: 7, from: caller))
        #expect(SnapshotService.id(of: 7, from: other) != SnapshotService.id(of: 7, from: caller))
        let members = SnapshotService.members(of: SnapshotGroupID(rawValue: 1), count: 64)
        #expect(Set(members).count == 64 && ids.isDisjoint(with: members))
    }

    @Test func anAbsentBucketKeepsNobodyFromCutting() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 1
        let harness = try SnapshotHarness(faults: rates)
        #expect(try await harness.service.create(request, id: id).state == .pending)
        #expect(try await harness.service.list(SnapshotListRequest(id: id)).snapshots.map(\.id) == [id])
        #expect(await harness.fault { try await harness.keeper.pass() }?.code == .bucketUnavailable)
        #expect(harness.owners[0].pending.count == 1)
        for work in [
            { _ = try await harness.service.list(SnapshotListRequest()) },
            { _ = try await harness.service.delete(SnapshotDeleteRequest(id: SnapshotID(rawValue: 1))) },
        ] as [() async throws -> Void] {
            #expect(await harness.fault(work)?.code == .bucketUnavailable)
        }
    }

    @Test func lostRepliesOfTheBucketAreLookedInto() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.lostReply = 0.3
        rates.lostRequest = 0.2
        let harness = try SnapshotHarness(faults: rates)
        for number in 1...20 as ClosedRange<UInt64> {
            let id = SnapshotID(rawValue: number)
            while await harness.fault({ _ = try await harness.service.create(request, id: id) }) != nil {}
            harness.owners[0].complete(id)
        }
        while !harness.owners[0].pending.isEmpty { _ = await harness.fault { try await harness.keeper.pass() } }
        for number in 1...20 as ClosedRange<UInt64> {
            #expect(try await harness.record(SnapshotID(rawValue: number)).state == .completed)
        }
    }

    @Test func aPromiseThatCannotBeKeptIsAnErrorWithItsReason() async throws {
        let harness = try SnapshotHarness()
        _ = try await harness.service.create(request, id: id)
        try await harness.keeper.pass()
        harness.owners[0].fail(id, "volume disk was deleted")
        try await harness.keeper.pass()
        let shown = try await harness.service.list(SnapshotListRequest(id: id)).snapshots
        #expect(shown.map(\.state) == [.error] && shown[0].reason == "volume disk was deleted")
        #expect(harness.owners[0].pending.isEmpty)
    }

    @Test func whatTheCacheManagerRefusesIsPassedOn() async throws {
        let harness = try SnapshotHarness()
        let other = SnapshotCreateRequest(volume: VolumeReference("other"), description: "")
        let fault = await harness.fault { _ = try await harness.service.create(other, id: id) }
        #expect(fault == BusFault(.unknownVolume, "no volume other"))
        #expect(try await harness.keys().isEmpty)
        let long = SnapshotCreateRequest(
            volume: VolumeReference("disk"), description: String(repeating: "é", count: 513))
        #expect(await harness.fault { _ = try await harness.service.create(long, id: id) }?.code == .invalidArgument)
    }

    // MARK: Recovery points

    @Test func aRecoveryPointIsKeptWithoutCutting() async throws {
        let harness = try SnapshotHarness()
        try await harness.put(MemoryOwner.head())
        let request = SnapshotCreateRequest(
            volume: VolumeReference("disk"), description: "", fromRecoveryPoint: true)
        let made = try await harness.service.create(request, id: id)
        #expect(made.state == .completed && made.isFromRecoveryPoint == true && made.cutMilliseconds == 4000)
        #expect(harness.owners[0].cutCount == 0)
        #expect(try await harness.record(id).head == MemoryOwner.head())
        // The volume need not be here, nor its gateway live.
        harness.owners[0].die()
        var foreign = MemoryOwner.head("far", id: 5)
        foreign.owner = GatewayID(rawValue: 99)
        try await harness.put(foreign)
        let far = SnapshotCreateRequest(volume: VolumeReference("far"), description: "", fromRecoveryPoint: true)
        #expect(try await harness.service.create(far, id: SnapshotID(rawValue: 2)).volume == foreign.volume)
    }

    @Test func aVolumeOfAnotherGatewayIsNotCutAndTheWayOutIsNamed() async throws {
        let harness = try SnapshotHarness()
        var foreign = MemoryOwner.head("far", id: 5)
        foreign.owner = GatewayID(rawValue: 99)
        try await harness.put(foreign)
        let far = SnapshotCreateRequest(volume: VolumeReference("far"), description: "")
        let fault = await harness.fault { _ = try await harness.service.create(far, id: id) }
        #expect(fault?.code == .ownedElsewhere && fault?.message.contains("--from-recovery-point") == true)
        let group = SnapshotGroupCreateRequest(
            volumes: [VolumeReference("disk"), VolumeReference("far")], description: "")
        let refusal = await harness.fault {
            _ = try await harness.service.createGroup(group, id: SnapshotGroupID(rawValue: 1))
        }
        #expect(refusal?.code == .ownedElsewhere && refusal?.message.contains("one gateway") == true)
        #expect(harness.owners[0].pending.isEmpty)
    }

    @Test func aDeletedVolumeHasNoRecoveryPoint() async throws {
        let harness = try SnapshotHarness([])
        var head = MemoryOwner.head()
        head.state = .deleted
        try await harness.put(head)
        for text in ["disk", head.volume.description] {
            let request = SnapshotCreateRequest(
                volume: VolumeReference(text), description: "", fromRecoveryPoint: true)
            #expect(
                await harness.fault { _ = try await harness.service.create(request, id: id) }?.code == .unknownVolume)
        }
    }

    // MARK: Deleting and listing

    @Test func aDeletedSnapshotIsMarkedAndNoLongerListed() async throws {
        let harness = try SnapshotHarness()
        try await harness.put(
            SnapshotRecord(
                id: id, head: MemoryOwner.head(), description: "", createdMilliseconds: 1))
        let deleted = try await harness.service.delete(SnapshotDeleteRequest(id: id))
        #expect(deleted.state == .deleting)
        #expect(try await harness.service.list(SnapshotListRequest()).snapshots.isEmpty)
        #expect(
            await harness.fault { _ = try await harness.service.list(SnapshotListRequest(id: id)) }?.code
                == .unknownSnapshot)
        // The root stays until reclaim has taken its space back.
        let record = try await harness.record(id)
        #expect(record.state == .deleting && record.head == MemoryOwner.head())
        // A repeat of the request is answered like the first.
        #expect(try await harness.service.delete(SnapshotDeleteRequest(id: id)) == deleted)
    }

    @Test(arguments: [true, false]) func aPendingSnapshotCanBeDeletedAndIsNeverCompleted(announced: Bool) async throws {
        let harness = try SnapshotHarness()
        _ = try await harness.service.create(request, id: id)
        if announced { try await harness.keeper.pass() }
        #expect(try await harness.service.delete(SnapshotDeleteRequest(id: id)).state == .deleting)
        harness.owners[0].complete(id)
        try await harness.keeper.pass()
        #expect(try await harness.record(id).state == .deleting)
        #expect(harness.owners[0].pending.isEmpty)
        #expect(try await harness.service.list(SnapshotListRequest()).snapshots.isEmpty)
    }

    /// The record comes, and the promise goes, between the look for the one and the look for the other.
    @Test func aSnapshotThatIsSettledWhileItIsDeletedStaysDeleted() async throws {
        let harness = try SnapshotHarness()
        _ = try await harness.service.create(request, id: id)
        harness.owners[0].complete(id)
        harness.owners[0].beforeList = {
            harness.owners[0].beforeList = nil
            try await harness.keeper.pass()
        }
        #expect(try await harness.service.delete(SnapshotDeleteRequest(id: id)).state == .deleting)
        try await harness.keeper.pass()
        #expect(try await harness.record(id).state == .deleting)
        harness.owners[0].die()
        let unknown = SnapshotDeleteRequest(id: SnapshotID(rawValue: 9))
        #expect(await harness.fault { _ = try await harness.service.delete(unknown) }?.code == .notReady)
    }

    @Test func aDamagedRecordIsRemovedOnceNothingMadeFromItIsLeft() async throws {
        let harness = try SnapshotHarness()
        _ = try await harness.store.put(BucketLayout.snapshot(id), Array("{".utf8), .absent)
        var clone = MemoryOwner.head("clone", id: 0x88)
        clone.sourceSnapshot = id
        try await harness.put(clone)
        let delete = SnapshotDeleteRequest(id: id)
        let fault = await harness.fault { _ = try await harness.service.delete(delete) }
        #expect(fault?.code == .inUse && fault?.message.contains("volume clone") == true, "\(fault as Any)")
        // Deleted, but a snapshot of it is left.
        clone.state = .deleted
        try await harness.put(clone)
        let own = SnapshotRecord(id: SnapshotID(rawValue: 2), head: clone, description: "", createdMilliseconds: 1)
        try await harness.put(own)
        let other = await harness.fault { _ = try await harness.service.delete(delete) }
        #expect(other?.code == .inUse && other?.message.contains("\(own.id)") == true, "\(other as Any)")
        _ = try await harness.service.delete(SnapshotDeleteRequest(id: own.id))
        let deleted = try await harness.service.delete(delete)
        #expect(deleted.state == .deleting && deleted.reason?.contains("was removed") == true)
        #expect(try await harness.service.list(SnapshotListRequest()).snapshots.isEmpty)
    }

    @Test func aRecordOfANewerVersionIsNotDamaged() async throws {
        let harness = try SnapshotHarness()
        _ = try await harness.store.put(BucketLayout.snapshot(id), Array(#"{"formatVersion": 99}"#.utf8), .absent)
        let fault = await harness.fault { _ = try await harness.service.delete(SnapshotDeleteRequest(id: id)) }
        #expect(fault?.code == .bucketRefused && fault?.message.contains("newer version") == true)
        #expect(try await harness.keys() == [BucketLayout.snapshot(id)])
    }

    @Test func internalSnapshotsAreListedOnlyWhenAskedFor() async throws {
        let harness = try SnapshotHarness()
        try await harness.put(MemoryOwner.head())
        let request = SnapshotCreateRequest(
            volume: VolumeReference("disk"), description: "", fromRecoveryPoint: true, isInternal: true)
        _ = try await harness.service.create(request, id: id)
        #expect(try await harness.service.list(SnapshotListRequest()).snapshots.isEmpty)
        #expect(
            try await harness.service.list(SnapshotListRequest(includesInternal: true)).snapshots.map(\.id) == [id])
    }

    @Test func anUnknownSnapshotIsSaidToBeUnknown() async throws {
        let harness = try SnapshotHarness()
        for work in [
            { _ = try await harness.service.list(SnapshotListRequest(id: id)) },
            { _ = try await harness.service.delete(SnapshotDeleteRequest(id: id)) },
        ] as [() async throws -> Void] {
            let fault = await harness.fault(work)
            #expect(fault?.code == .unknownSnapshot && fault?.message.contains("sluice snapshot list") == true)
        }
        #expect(try await harness.keys().isEmpty)
    }

    @Test func aDamagedRecordIsShownAndHidesNoOther() async throws {
        let harness = try SnapshotHarness()
        try await harness.put(
            SnapshotRecord(
                id: id, head: MemoryOwner.head(), description: "", createdMilliseconds: 1))
        let whole = try await harness.store.get(BucketLayout.snapshot(id)).bytes
        var bytes = whole
        bytes[bytes.count / 2] ^= 1
        let (damaged, misplaced) = (SnapshotID(rawValue: 1), SnapshotID(rawValue: 2))
        _ = try await harness.store.put(BucketLayout.snapshot(damaged), bytes, .absent)
        // A whole record under another's name is damage too.
        _ = try await harness.store.put(BucketLayout.snapshot(misplaced), whole, .absent)
        _ = try await harness.store.put(ObjectKey("snapshots/not-an-id"), [], .absent)
        let listed = try await harness.service.list(SnapshotListRequest()).snapshots
        #expect(listed.map(\.id) == [damaged, misplaced, id])
        #expect(listed.map(\.state) == [.error, .error, .completed])
        #expect(listed[0].description.contains("damaged"))
        let fault = await harness.fault { _ = try await harness.service.list(SnapshotListRequest(id: damaged)) }
        #expect(fault?.code == .bucketRefused)
    }
}
