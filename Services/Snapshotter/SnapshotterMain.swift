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
        let store = MeteredObjectStore(try bucket.open(environment: ProcessEnvironment.current), meter: meter)
        try await Self.checkFormat(store)

        let managers = CacheManagerDirectory(runDirectory: context.runDirectory, caller: context.caller)
        let service = SnapshotService(
            catalogue: SnapshotCatalogue(store), wallMilliseconds: { WallClock.millisecondsNow() },
            cut: { (request) throws(BusFault) in try await managers.cut(request) })
        let census = SnapshotCensus.Result()
        context.bus.handleNumbered(SnapshotCreateRequest.self) { request, peer, number in
            defer { census.outdate() }
            return try await service.create(request, id: SnapshotService.id(of: number, from: peer.instance))
        }
        context.bus.handle(SnapshotListRequest.self) { request, _ in try await service.list(request) }
        context.bus.handle(SnapshotDeleteRequest.self) { request, _ in
            defer { census.outdate() }
            return try await service.delete(request)
        }
        context.bus.provideMetrics { ObjectStoreMetrics.families(meter.totals) + census.metricFamilies }
        return [SnapshotCensus(service, health: context.health, result: census)]
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
