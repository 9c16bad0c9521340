// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ObjectStorage
import Snapshotter
import Synchronization
import TestSupport
import Testing
import Wire

struct SnapshotServiceTests {
    private let bucket: TemporaryBucket
    private let store: DirectoryObjectStore
    private let id = SnapshotID(rawValue: 0xabc)

    init() throws {
        bucket = try TemporaryBucket()
        store = try bucket.openStore()
    }

    /// - Parameter cuts: counts the commits that the cache manager was asked for.
    private func service(
        _ store: (any ObjectStore)? = nil, manager: CutSource = CutSource()
    ) -> SnapshotService {
        SnapshotService(
            catalogue: SnapshotCatalogue(
                store ?? self.store,
                policy: RetryPolicy(
                    firstPause: .microseconds(1), maximumPause: .microseconds(2), deadline: .microseconds(20))),
            wallMilliseconds: { 5000 },
            cut: { (request) throws(BusFault) in try manager.cut(request) })
    }

    private let request = SnapshotCreateRequest(volume: VolumeReference("disk"), description: "before the upgrade")

    @Test func keepsTheRootOfTheCommitItAskedFor() async throws {
        let made = try await service().create(request, id: id)
        #expect(
            made
                == SnapshotDescription(
                    id: id, volume: CutSource.head.volume, volumeName: "disk", volumeByteCount: 1 << 30,
                    description: "before the upgrade", state: .completed, createdMilliseconds: 5000, commitNumber: 8))
        let record = try SnapshotFormat.decode(try await store.get(BucketLayout.snapshot(id)).bytes)
        #expect(record.head == CutSource.head)
    }

    @Test func aRequestThatIsRepeatedAfterARestartMakesOneSnapshot() async throws {
        let manager = CutSource()
        let first = try await service(manager: manager).create(request, id: id)
        let again = try await service(manager: manager).create(request, id: id)
        #expect(first == again)
        #expect(manager.count == 1)
        #expect(try await service().list(SnapshotListRequest()).snapshots.count == 1)
    }

    @Test func oneRequestHasOneIdAndEveryOtherAnother() {
        let (caller, other) = (ServiceInstance(rawValue: 99), ServiceInstance(rawValue: 98))
        let ids = Set((0..<1000).map { SnapshotService.id(of: $0, from: caller) })
        #expect(ids.count == 1000)
        #expect(SnapshotService.id(of: 7, from: caller) == SnapshotService.id(of: 7, from: caller))
        #expect(SnapshotService.id(of: 7, from: other) != SnapshotService.id(of: 7, from: caller))
    }

    @Test func anUnheardAnswerOfTheBucketIsLookedInto() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.lostReply = 0.3
        rates.lostRequest = 0.2
        let faulty = FaultyObjectStore(store, seed: 20, rates: rates)
        for number in 0..<20 as Range<UInt64> {
            let id = SnapshotID(rawValue: number + 1)
            var made: SnapshotDescription?
            // Reads fail under these rates as well, so the caller tries again under the same id.
            while made == nil { made = try? await service(faulty).create(request, id: id) }
            #expect(made?.state == .completed)
        }
        #expect(try await service().list(SnapshotListRequest()).snapshots.count == 20)
        #expect(faulty.faultCount > 5)
    }

    @Test func whatTheCacheManagerRefusesIsPassedOn() async {
        await #expect(throws: BusFault(.unknownVolume, "no volume other")) {
            try await service().create(
                SnapshotCreateRequest(volume: VolumeReference("other"), description: ""), id: id)
        }
        #expect(await stored().isEmpty)
    }

    @Test(arguments: CutSource.Damage.allCases)
    func aHeadThatIsNotThatOfTheCommitIsNotKept(_ damage: CutSource.Damage) async {
        let error = await #expect(throws: BusFault.self) {
            try await service(manager: CutSource(damage)).create(request, id: id)
        }
        #expect(error?.code == .internalError)
        #expect(await stored().isEmpty)
    }

    @Test func aDescriptionHasALimit() async {
        let request = SnapshotCreateRequest(
            volume: VolumeReference("disk"), description: String(repeating: "é", count: 513))
        let error = await #expect(throws: BusFault.self) { try await service().create(request, id: id) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func aDeletedSnapshotIsMarkedAndNoLongerListed() async throws {
        let service = service()
        _ = try await service.create(request, id: id)
        let deleted = try await service.delete(SnapshotDeleteRequest(id: id))
        #expect(deleted.state == .deleting)
        #expect(try await service.list(SnapshotListRequest()).snapshots.isEmpty)
        let error = await #expect(throws: BusFault.self) { try await service.list(SnapshotListRequest(id: id)) }
        #expect(error?.code == .unknownSnapshot)
        // The root stays until reclaim has taken its space back.
        let record = try SnapshotFormat.decode(try await store.get(BucketLayout.snapshot(id)).bytes)
        #expect(record.state == .deleting && record.head == CutSource.head)
        // A repeat of the request is answered like the first.
        #expect(try await service.delete(SnapshotDeleteRequest(id: id)) == deleted)
        #expect(try await service.counts() == [.deleting: 1])
    }

    @Test func anUnknownSnapshotIsSaidToBeUnknown() async throws {
        let service = service()
        for error in [
            await #expect(throws: BusFault.self) { try await service.list(SnapshotListRequest(id: id)) },
            await #expect(throws: BusFault.self) { try await service.delete(SnapshotDeleteRequest(id: id)) },
        ] {
            #expect(error?.code == .unknownSnapshot)
            #expect(error?.message.contains("sluice snapshot list") == true)
        }
        #expect(await stored().isEmpty)
    }

    @Test func listsAllInTheOrderOfTheirIds() async throws {
        let service = service()
        for number in (1...40 as ClosedRange<UInt64>).reversed() {
            _ = try await service.create(request, id: SnapshotID(rawValue: number))
        }
        let listed = try await service.list(SnapshotListRequest()).snapshots
        #expect(listed.map(\.id.rawValue) == Array(1...40))
        #expect(try await service.list(SnapshotListRequest(id: SnapshotID(rawValue: 7))).snapshots == [listed[6]])
        #expect(try await service.counts() == [.completed: 40])
    }

    @Test func aDamagedRecordIsShownAndHidesNoOther() async throws {
        let service = service()
        _ = try await service.create(request, id: id)
        var bytes = try await store.get(BucketLayout.snapshot(id)).bytes
        bytes[bytes.count / 2] ^= 1
        let damaged = SnapshotID(rawValue: 1)
        _ = try await store.put(BucketLayout.snapshot(damaged), bytes, .absent)
        // A whole record under another's name is damage too.
        let misplaced = SnapshotID(rawValue: 2)
        _ = try await store.put(
            BucketLayout.snapshot(misplaced), try await store.get(BucketLayout.snapshot(id)).bytes, .absent)
        _ = try await store.put(ObjectKey("snapshots/not-an-id"), [], .absent)
        let listed = try await service.list(SnapshotListRequest()).snapshots
        #expect(listed.map(\.id) == [damaged, misplaced, id])
        #expect(listed.map(\.state) == [.error, .error, .completed])
        #expect(listed[0].description.contains("damaged"))
        let error = await #expect(throws: BusFault.self) { try await service.list(SnapshotListRequest(id: damaged)) }
        #expect(error?.code == .bucketRefused)
    }

    @Test func aBucketThatDoesNotAnswerIsNoEmptyBucket() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 1
        let service = service(FaultyObjectStore(store, seed: 1, rates: rates))
        for error in [
            await #expect(throws: BusFault.self) { try await service.list(SnapshotListRequest()) },
            await #expect(throws: BusFault.self) { try await service.delete(SnapshotDeleteRequest(id: id)) },
            await #expect(throws: BusFault.self) { try await service.create(request, id: id) },
        ] { #expect(error?.code == .bucketUnavailable) }
    }

    private func stored() async -> [ObjectKey] {
        (try? await store.list(prefix: "", after: nil, limit: 100).keys) ?? [ObjectKey("the listing failed")]
    }
}

/// Stands for the cache manager.
final class CutSource: Sendable {
    enum Damage: CaseIterable, Sendable { case torn, otherVolume, otherCommit, deletedVolume }

    static let head = Head(
        volume: VolumeID(rawValue: 0x77), name: "disk", targetName: "iqn.2026-11.io.sluice:disk", byteCount: 1 << 30,
        createdMilliseconds: 1000, sourceSnapshot: nil, durability: "onFlush", compressionLevel: 1,
        commitIntervalSeconds: 10, uploadBufferByteCount: 1 << 30, lineage: 3, generation: Generation(2),
        owner: GatewayID(rawValue: 4), commit: CommitID(high: 5, low: 6), commitNumber: 8,
        journalSequence: JournalSequence(9), cutMilliseconds: 4000, foldNumber: 0)

    private let damage: Damage?
    private let asked = Mutex(0)
    var count: Int { asked.withLock { $0 } }

    init(_ damage: Damage? = nil) { self.damage = damage }

    func cut(_ request: VolumeCutRequest) throws(BusFault) -> VolumeCutRequest.Reply {
        asked.withLock { $0 += 1 }
        guard request.volume.text == "disk" else {
            throw BusFault(.unknownVolume, "no volume \(request.volume.text)")
        }
        var head = Self.head
        if damage == .deletedVolume { head.state = .deleted }
        let bytes: [UInt8]
        do { bytes = try HeadFormat.encode(head) } catch { throw BusFault(.internalError, "\(error)") }
        return VolumeCutRequest.Reply(
            volume: damage == .otherVolume ? VolumeID(rawValue: 1) : head.volume, volumeName: head.name,
            byteCount: head.byteCount, commitNumber: damage == .otherCommit ? 7 : head.commitNumber,
            cutMilliseconds: head.cutMilliseconds, head: damage == .torn ? Array(bytes.dropLast(9)) : bytes)
    }
}
