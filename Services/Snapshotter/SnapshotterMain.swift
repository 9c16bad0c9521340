// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Bus
import Engine
import Messages
import ObjectStorage
import Platform
import S3
import ServiceKit
import ServiceLifecycle

/// `sluice-snapshotter`: keeps commits of volumes as snapshots in the bucket. One per run directory.
@main
struct SnapshotterMain: ServiceCommand {
    static let kind = ServiceKind.snapshotter
    static let directories: [DirectoryUse] = [.bucket]
    static let configuration = commandConfiguration("Make, list and delete snapshots of the gateway's volumes.")
    @OptionGroup var options: ConfigurationOptions

    func makeServices(_ context: ServiceContext) async throws -> [any Service] {
        guard context.slot.number == 0 else { throw Self.alreadyRunning(context) }
        let bucket = try context.configuration.bucket()
        let meter = RequestMeter()
        let store = PatientReads(
            MeteredObjectStore(try bucket.open(environment: ProcessEnvironment.current), meter: meter))
        try await Self.checkFormat(store)

        let parts = Parts(store, context)
        Self.serve(parts, on: context.bus)
        context.bus.provideMetrics { ObjectStoreMetrics.families(meter.totals) + parts.census.metricFamilies }
        return [
            parts.keeper,
            SnapshotCensus(parts.upkeep, health: context.health, result: parts.census, logger: context.logger),
        ]
    }

    /// What the service is put together from.
    private struct Parts: Sendable {
        let service: SnapshotService
        let keeper: SnapshotKeeper
        let upkeep: CatalogueUpkeep
        let census = SnapshotCensus.Result()

        init(_ store: any ObjectStore, _ context: ServiceContext) {
            let (directory, caller) = (context.directory, context.caller)
            let owners: VolumeOwners = { () async throws(BusFault) in
                try await CacheManager.all(in: directory, caller: caller)
            }
            let policy = SnapshotCatalogue.standardPolicy
            let catalogue = SnapshotCatalogue(store, policy: policy)
            let groups = GroupCatalogue(store, snapshots: catalogue, policy: policy)
            let recoveryPoints = RecoveryPoints(store, policy: policy)
            let census = census
            let keeper = SnapshotKeeper(
                catalogue: catalogue, groups: groups, owners: owners,
                wallMilliseconds: { WallClock.millisecondsNow() }, logger: context.logger,
                whenSettled: { census.outdate() })
            self.keeper = keeper
            service = SnapshotService(
                catalogue: catalogue, groups: groups, recoveryPoints: recoveryPoints,
                wallMilliseconds: { WallClock.millisecondsNow() }, owners: owners, notice: { keeper.notice() })
            upkeep = CatalogueUpkeep(
                catalogue: catalogue, recoveryPoints: recoveryPoints, owners: owners,
                wallMilliseconds: { WallClock.millisecondsNow() })
        }
    }

    private static func serve(_ parts: Parts, on bus: BusThread) {
        let (service, census) = (parts.service, parts.census)
        bus.handleNumbered(SnapshotCreateRequest.self) { request, peer, number in
            defer { census.outdate() }
            return try await service.create(request, id: SnapshotService.id(of: number, from: peer.instance))
        }
        bus.handle(SnapshotListRequest.self) { request, _ in try await service.list(request) }
        bus.handle(SnapshotDeleteRequest.self) { request, _ in
            defer { census.outdate() }
            return try await service.delete(request)
        }
        bus.handleNumbered(SnapshotGroupCreateRequest.self) { request, peer, number in
            defer { census.outdate() }
            return try await service.createGroup(
                request, id: SnapshotService.groupID(of: number, from: peer.instance))
        }
        bus.handle(SnapshotGroupListRequest.self) { request, _ in try await service.listGroups(request) }
    }

    private static func alreadyRunning(_ context: ServiceContext) -> ServiceFailure {
        let first = try? context.runDirectory.entries(of: .snapshotter).first { $0.number == 0 }
        let process = first?.processID.map { " (process \($0))" } ?? ""
        context.slot.release()
        return ServiceFailure(
            .temporaryFailure,
            "another snapshotter\(process) runs in \(context.runDirectory.path); "
                + "there is one per gateway, stop it first"
        )
    }

    /// An uploader marks a new bucket; a bucket of a newer format is nobody's here.
    private static func checkFormat(_ store: any ObjectStore) async throws(ObjectStoreError) {
        _ = try await RetryPolicy(deadline: .seconds(10)).run(clock: ContinuousClock()) {
            () throws(ObjectStoreError) in
            try await store.acceptsFormat(BucketLayout.format, judge: judge)
        }
    }

    private static func judge(_ marker: [UInt8]) -> ObjectStoreError.Refusal? {
        do {
            _ = try FormatMarker(decoding: marker)
            return nil
        } catch {
            guard case .newerFormat(_, let version) = error else { return .unreadableFormat(BucketLayout.format) }
            return .newerFormat(found: version, supported: BucketLayout.formatVersion)
        }
    }
}
