// SPDX-License-Identifier: Apache-2.0
import Engine
import Logging
import Messages
import ObjectStorage
import Snapshotter
import Synchronization
import TestSupport
import Wire

/// A snapshotter without a bus, on a bucket of its own, with cache managers in memory.
final class SnapshotHarness: Sendable {
    static let policy = RetryPolicy(
        firstPause: .microseconds(1), maximumPause: .microseconds(2), deadline: .microseconds(20))

    let bucket: TemporaryBucket
    let store: any ObjectStore
    let owners: [MemoryOwner]
    let service: SnapshotService
    let keeper: SnapshotKeeper
    let upkeep: CatalogueUpkeep

    init(_ owners: [MemoryOwner] = [MemoryOwner()], faults: FaultyObjectStore.Rates? = nil) throws {
        bucket = try TemporaryBucket()
        let directory = try bucket.openStore()
        self.owners = owners
        store = directory
        let used: any ObjectStore = faults.map { FaultyObjectStore(directory, seed: 20, rates: $0) } ?? directory
        let all: VolumeOwners = { () throws(BusFault) in owners }
        let catalogue = SnapshotCatalogue(used, policy: Self.policy)
        let groups = GroupCatalogue(used, snapshots: catalogue, policy: Self.policy)
        let recoveryPoints = RecoveryPoints(used, policy: Self.policy)
        let clock = WallClockForTests()
        service = SnapshotService(
            catalogue: catalogue, groups: groups, recoveryPoints: recoveryPoints,
            wallMilliseconds: { clock.milliseconds }, owners: all)
        keeper = SnapshotKeeper(
            catalogue: catalogue, groups: groups, owners: all, wallMilliseconds: { clock.milliseconds },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        upkeep = CatalogueUpkeep(
            catalogue: catalogue, recoveryPoints: recoveryPoints, owners: all,
            wallMilliseconds: { clock.milliseconds }, maximumAge: .zero)
        wall = clock
    }

    let wall: WallClockForTests

    /// - Returns: how many records were put right.
    func keepUp() async throws -> Int { try await upkeep.run(try await upkeep.look()) }

    func record(_ id: SnapshotID) async throws -> SnapshotRecord {
        try SnapshotFormat.decode(try await store.get(BucketLayout.snapshot(id)).bytes)
    }

    func put(_ head: Head) async throws {
        _ = try await store.put(BucketLayout.head(head.volume), try HeadFormat.encode(head), .none)
    }

    func put(_ record: SnapshotRecord) async throws {
        _ = try await store.put(BucketLayout.snapshot(record.id), try SnapshotFormat.encode(record), .none)
    }

    func keys() async throws -> [ObjectKey] { try await store.list(prefix: "", after: nil, limit: 100).keys }

    func fault(_ work: () async throws -> Void) async -> BusFault? {
        do {
            try await work()
            return nil
        } catch {
            return error as? BusFault
        }
    }
}

final class WallClockForTests: Sendable {
    private let now = Mutex<UInt64>(5000)
    var milliseconds: UInt64 { now.withLock { $0 } }
    func pass(milliseconds: UInt64) { now.withLock { $0 += milliseconds } }
}
