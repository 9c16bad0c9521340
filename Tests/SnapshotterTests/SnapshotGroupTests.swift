// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ObjectStorage
import Snapshotter
import TestSupport
import Testing
import Wire

struct SnapshotGroupTests {
    private let id = SnapshotGroupID(rawValue: 0x99)
    private var members: [SnapshotID] { SnapshotService.members(of: id, count: 2) }
    private let request = SnapshotGroupCreateRequest(
        volumes: [VolumeReference("db"), VolumeReference("log")], description: "nightly")
    private static let heads = [MemoryOwner.head("db", id: 1), MemoryOwner.head("log", id: 2)]

    /// Both volumes at one cache manager, or each at one of its own.
    private func harness(split: Bool) throws -> SnapshotHarness {
        try SnapshotHarness(split ? Self.heads.map { MemoryOwner([$0]) } : [MemoryOwner(Self.heads)])
    }

    @Test(arguments: [false, true]) func theGroupIsWrittenLast(split: Bool) async throws {
        let harness = try harness(split: split)
        let made = try await harness.service.createGroup(request, id: id)
        #expect(made.state == .pending && made.members.map(\.volumeName) == ["db", "log"])
        #expect(made.pauseMicroseconds == 300)
        try await harness.keeper.pass()
        harness.owners[0].complete(members[0])
        try await harness.keeper.pass()
        #expect(try await harness.service.listGroups(SnapshotGroupListRequest()).groups.map(\.state) == [.pending])
        #expect(try await !harness.keys().contains(BucketLayout.group(id)))
        for owner in harness.owners { owner.complete(members[1]) }
        while try await harness.keeper.pass() {}
        let group = try #require(try await harness.service.listGroups(SnapshotGroupListRequest(id: id)).groups.first)
        #expect(group.state == .completed && group.members.map(\.state) == [.completed, .completed])
        #expect(harness.owners.allSatisfy { $0.pending.isEmpty })
        // Asked again after a restart: one group.
        #expect(try await harness.service.createGroup(request, id: id).state == .completed)
        #expect(harness.owners.map(\.cutCount).reduce(0, +) == harness.owners.count)
        // A member that is deleted later breaks the group, and not the other member.
        _ = try await harness.service.delete(SnapshotDeleteRequest(id: members[0]))
        let broken = try await harness.service.listGroups(SnapshotGroupListRequest()).groups
        #expect(broken.map(\.state) == [.error] && broken[0].reason?.contains("deleted") == true)
        #expect(
            try await harness.service.list(SnapshotListRequest(id: members[1])).snapshots.map(\.state) == [.completed])
        _ = try await harness.service.delete(SnapshotDeleteRequest(id: members[1]))
        #expect(try await harness.service.listGroups(SnapshotGroupListRequest()).groups.isEmpty)
    }

    /// More members than one answer of the cache manager holds.
    @Test func aLargeGroupIsFinished() async throws {
        let heads = (1...9 as ClosedRange<UInt64>).map { MemoryOwner.head("v\($0)", id: $0) }
        let harness = try SnapshotHarness([MemoryOwner(heads)])
        let request = SnapshotGroupCreateRequest(
            volumes: heads.map { VolumeReference($0.name) }, description: "large")
        _ = try await harness.service.createGroup(request, id: id)
        for member in SnapshotService.members(of: id, count: 9) { harness.owners[0].complete(member) }
        for _ in 0..<3 where try await harness.keeper.pass() {}
        let group = try #require(try await harness.service.listGroups(SnapshotGroupListRequest(id: id)).groups.first)
        #expect(group.state == .completed && group.members.count == 9)
        #expect(harness.owners[0].pending.isEmpty)
    }

    @Test func aMemberThatFailsMakesTheGroupAnErrorAndLeavesTheOther() async throws {
        let harness = try harness(split: false)
        _ = try await harness.service.createGroup(request, id: id)
        harness.owners[0].complete(members[0])
        harness.owners[0].fail(members[1], "volume log was deleted")
        while try await harness.keeper.pass() {}
        let group = try #require(try await harness.service.listGroups(SnapshotGroupListRequest(id: id)).groups.first)
        #expect(group.state == .error && group.reason?.contains("volume log was deleted") == true)
        #expect(try await harness.record(members[0]).state == .completed)
    }

    @Test func noneIsCutUnlessAllStandStill() async throws {
        let harness = try harness(split: true)
        harness.owners[1].refuseHolds()
        let fault = await harness.fault { _ = try await harness.service.createGroup(request, id: id) }
        #expect(fault?.message.contains("not all volumes stood still") == true, "\(fault as Any)")
        #expect(harness.owners[0].releaseCount == 1)
        #expect(harness.owners.allSatisfy { $0.pending.isEmpty && $0.cutCount == 0 })
    }

    @Test func aHoldThatRanOutBreaksTheGroupVisibly() async throws {
        let harness = try harness(split: true)
        harness.owners[1].letHoldsRunOut()
        let fault = await harness.fault { _ = try await harness.service.createGroup(request, id: id) }
        let message = try #require(fault?.message)
        #expect(message.contains("the group \(id) is broken") && message.contains("(log: the volumes were let go)"))
        #expect(message.contains("\(members[0]) of db"), "\(message)")
        // The same request again makes nothing, and says what is missing.
        let again = try await harness.service.createGroup(request, id: id)
        #expect(again.members.map(\.id) == [members[0]] && again.reason == "\(members[1]) was not cut")
        #expect(harness.owners.map(\.cutCount) == [1, 1])
        harness.owners[0].complete(members[0])
        while try await harness.keeper.pass() {}
        let group = try #require(try await harness.service.listGroups(SnapshotGroupListRequest(id: id)).groups.first)
        #expect(group.state == .error && group.reason?.contains("\(members[1]) was not cut") == true)
        #expect(try await harness.record(members[0]).state == .completed)
    }

    @Test func aSilentCacheManagerIsNoMissingMember() async throws {
        let harness = try harness(split: true)
        _ = try await harness.service.createGroup(request, id: id)
        harness.owners[0].complete(members[0])
        harness.owners[1].die()
        for _ in 0..<3 { try await harness.keeper.pass() }
        #expect(try await !harness.keys().contains(BucketLayout.group(id)))
        #expect(harness.owners[0].pending.count == 1)
    }

    @Test func aGroupThatWasMadeIsFoundWithoutTheBucket() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 1
        let harness = try SnapshotHarness(Self.heads.map { MemoryOwner([$0]) }, faults: rates)
        let made = try await harness.service.createGroup(request, id: id)
        #expect(try await harness.service.createGroup(request, id: id).members == made.members)
        #expect(harness.owners.map(\.cutCount) == [1, 1])
    }
}
