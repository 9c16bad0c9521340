// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ObjectStorage
import Snapshotter
import TestSupport
import Testing
import Wire

/// Who takes pins away, and when (STORAGE §7).
struct CatalogueUpkeepTests {
    private let id = SnapshotID(rawValue: 0xabc)
    private let clone = MemoryOwner.head("clone", id: 0x88)
    private static let hour: UInt64 = 3_600_001

    private func harness(
        pin: SnapshotPin.State, gateway: GatewayID = MemoryOwner.gateway, cacheManagers: [MemoryOwner] = [MemoryOwner()]
    ) async throws -> SnapshotHarness {
        let harness = try SnapshotHarness(cacheManagers)
        var record = SnapshotRecord(id: id, head: MemoryOwner.head(), description: "", createdMilliseconds: 5000)
        record.pins = [
            SnapshotPin(
                volume: clone.volume, volumeName: "clone", gateway: gateway, state: pin, createdMilliseconds: 5000)
        ]
        try await harness.put(record)
        return harness
    }

    private func pins(_ harness: SnapshotHarness) async throws -> [SnapshotPin.State] {
        try await harness.record(id).pinList.map(\.state)
    }

    @Test func aPinBecomesActiveWhenItsCloneIsThere() async throws {
        let harness = try await harness(pin: .pending)
        try await harness.put(clone)
        #expect(try await harness.keepUp() == 1)
        #expect(try await pins(harness) == [.active])
        #expect(try await harness.keepUp() == 0)
    }

    @Test func aPinOfACloneThatNeverCameFallsAfterAWhile() async throws {
        let harness = try await harness(pin: .pending)
        #expect(try await harness.keepUp() == 0)
        harness.wall.pass(milliseconds: Self.hour)
        #expect(try await harness.keepUp() == 1)
        #expect(try await pins(harness).isEmpty)
    }

    @Test func onlyWhoSetAPendingPinTakesItAway() async throws {
        let foreign = try await harness(pin: .pending, gateway: GatewayID(rawValue: 99))
        foreign.wall.pass(milliseconds: Self.hour)
        #expect(try await foreign.keepUp() == 0)
        // It is being made still, although it takes long.
        let making = try await harness(pin: .pending, cacheManagers: [MemoryOwner([MemoryOwner.head(), clone])])
        making.wall.pass(milliseconds: Self.hour)
        #expect(try await making.keepUp() == 0)
        // Nobody can say whether it is.
        let silent = MemoryOwner()
        silent.die()
        let unknown = try await harness(pin: .pending, cacheManagers: [silent])
        unknown.wall.pass(milliseconds: Self.hour)
        #expect(try await unknown.keepUp() == 0)
    }

    /// Nothing follows from their HEADs, so they are not asked for: most pins are of such clones.
    @Test func headsOfClonesThatAreInUseAreNotRead() async throws {
        let ours = try await harness(pin: .active, cacheManagers: [MemoryOwner([MemoryOwner.head(), clone])])
        let rooted = try await harness(pin: .active)
        try await rooted.put(
            SnapshotRecord(id: SnapshotID(rawValue: 2), head: clone, description: "", createdMilliseconds: 5000))
        for harness in [ours, rooted] {
            _ = try await harness.store.put(BucketLayout.head(clone.volume), [1, 2, 3], .none)
            #expect(try await harness.keepUp() == 0)
            #expect(try await pins(harness) == [.active])
        }
        let unknown = try await harness(pin: .active)
        _ = try await unknown.store.put(BucketLayout.head(clone.volume), [1, 2, 3], .none)
        let fault = await unknown.fault { _ = try await unknown.keepUp() }
        #expect(fault?.code == .bucketRefused)
    }

    @Test func anActivePinNeverFallsBecauseAHeadIsNotFound() async throws {
        let harness = try await harness(pin: .active)
        harness.wall.pass(milliseconds: 100 * Self.hour)
        #expect(try await harness.keepUp() == 0)
        #expect(try await pins(harness) == [.active])
    }

    @Test func aPinFallsWithTheLastRootOfItsClone() async throws {
        let harness = try await harness(pin: .active)
        var tombstone = clone
        tombstone.state = .deleted
        try await harness.put(tombstone)
        let own = SnapshotRecord(
            id: SnapshotID(rawValue: 2), head: clone, description: "", createdMilliseconds: 5000)
        try await harness.put(own)
        // A snapshot of the clone names the same packs.
        #expect(try await harness.keepUp() == 0)
        _ = try await harness.service.delete(SnapshotDeleteRequest(id: own.id))
        #expect(try await harness.keepUp() == 1)
        #expect(try await pins(harness).isEmpty)
    }

    @Test func aPinOfAnotherGatewaysVolumeIsItsOwn() async throws {
        let harness = try await harness(pin: .active)
        var tombstone = clone
        tombstone.state = .deleted
        tombstone.owner = GatewayID(rawValue: 99)
        try await harness.put(tombstone)
        #expect(try await harness.keepUp() == 0)
    }

    @Test func anInternalSnapshotGoesWithItsLastPin() async throws {
        let harness = try await harness(pin: .active)
        try await harness.put(clone)
        var record = try await harness.record(id)
        record.isInternal = true
        try await harness.put(record)
        harness.wall.pass(milliseconds: Self.hour)
        #expect(try await harness.keepUp() == 0)
        var tombstone = clone
        tombstone.state = .deleted
        try await harness.put(tombstone)
        #expect(try await harness.keepUp() == 1, "the pin; the snapshot is another gateway's")
        record = try await harness.record(id)
        record.gateway = MemoryOwner.gateway
        try await harness.put(record)
        #expect(try await harness.keepUp() == 1)
        let retired = try await harness.record(id)
        #expect(retired.state == .deleting && retired.pinList.isEmpty)
    }

    @Test func whatACacheManagerForgotIsAnError() async throws {
        let harness = try SnapshotHarness()
        let request = SnapshotCreateRequest(volume: VolumeReference("disk"), description: "")
        _ = try await harness.service.create(request, id: id)
        try await harness.keeper.pass()
        harness.wall.pass(milliseconds: 61_000)
        #expect(try await harness.keepUp() == 0)
        harness.owners[0].forget()
        #expect(try await harness.keepUp() == 1)
        let record = try await harness.record(id)
        #expect(record.state == .error && record.reason?.contains("lost") == true)
    }

    /// However long the upload took: a clone is made after it.
    @Test func anInternalSnapshotIsAsOldAsItsEnd() async throws {
        let harness = try SnapshotHarness()
        let request = SnapshotCreateRequest(volume: VolumeReference("disk"), description: "", isInternal: true)
        _ = try await harness.service.create(request, id: id)
        try await harness.keeper.pass()
        harness.wall.pass(milliseconds: Self.hour)
        harness.owners[0].complete(id)
        try await harness.keeper.pass()
        #expect(try await harness.keepUp() == 0)
        harness.wall.pass(milliseconds: Self.hour)
        #expect(try await harness.keepUp() == 1)
        #expect(try await harness.record(id).state == .deleting)
    }

    // MARK: Recovery points of volumes that are being deleted

    private func deleteClone(_ harness: SnapshotHarness) async throws {
        var tombstone = clone
        tombstone.state = .deleted
        try await harness.put(tombstone)
    }

    private let keep = SnapshotCreateRequest(
        volume: VolumeReference(MemoryOwner.head("clone", id: 0x88).volume.description), description: "",
        fromRecoveryPoint: true)
    private let kept = SnapshotID(rawValue: 2)

    @Test func aRecoveryPointIsNoneOnceItsVolumesPinsMayHaveFallen() async throws {
        let harness = try await harness(pin: .active)
        try await harness.put(clone)
        // Deleted, and its pins taken away, after HEAD was looked up and before the record is there.
        harness.owners[0].beforeList = {
            try await self.deleteClone(harness)
            harness.owners[0].beforeList = nil
            #expect(try await harness.keepUp() == 1)
        }
        let fault = await harness.fault { _ = try await harness.service.create(keep, id: kept) }
        #expect(fault?.code == .unknownVolume, "\(fault as Any)")
        #expect(try await pins(harness).isEmpty)
        let record = try await harness.record(kept)
        #expect(record.state == .error && record.head == nil)
    }

    @Test func aRecoveryPointThatWasKeptInTimeHoldsThePins() async throws {
        let harness = try await harness(pin: .active)
        try await harness.put(clone)
        let view = try await harness.upkeep.look()
        // Between the look at the records and that at HEAD.
        #expect(try await harness.service.create(keep, id: kept).state == .completed)
        try await deleteClone(harness)
        #expect(try await harness.upkeep.run(view) == 0)
        #expect(try await pins(harness) == [.active])
        // A silent cache manager may have promised another root.
        _ = try await harness.service.delete(SnapshotDeleteRequest(id: kept))
        harness.owners[0].die()
        #expect(try await harness.upkeep.run(view) == 0)
        #expect(try await pins(harness) == [.active])
    }

    @Test func aRecoveryPointThatWasBegunIsEndedByARepeat() async throws {
        let harness = try SnapshotHarness()
        try await harness.put(MemoryOwner.head())
        var begun = SnapshotRecord(
            id: kept, head: MemoryOwner.head(), description: "", createdMilliseconds: 1, state: .pending)
        begun.head = nil
        begun.commitNumber = 0
        begun.origin = .recoveryPoint
        try await harness.put(begun)
        let request = SnapshotCreateRequest(volume: VolumeReference("disk"), description: "", fromRecoveryPoint: true)
        #expect(try await harness.service.create(request, id: kept).state == .completed)
        #expect(try await harness.record(kept).head == MemoryOwner.head())
    }
}
