// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Bus
import Glibc
import Messages
import ObjectStorage
import Platform
import S3
import ServiceKit
import ServiceLifecycle
import Wire

/// `sluice-uploader`: builds packs and moves them between cache managers and the bucket. Keeps nothing, so any number
/// may run and any may be killed.
@main
struct UploaderMain: ServiceCommand {
    static let kind = ServiceKind.uploader
    static let directories: [DirectoryUse] = [.bucket]
    static let configuration = commandConfiguration("Store the gateway's data in the bucket, and fetch it from there.")
    @OptionGroup var options: ConfigurationOptions

    func makeServices(_ context: ServiceContext) async throws -> [any Service] {
        let bucket = try context.configuration.bucket()
        let meter = RequestMeter()
        let store = MeteredObjectStore(try bucket.open(environment: ProcessEnvironment.current), meter: meter)
        context.health.set(ready: false, "looking whether \(bucket) can be relied on")
        try await Self.open(store, bucket, context)

        let threads = try BlockingThreads(name: "pack", count: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let runner = JobRunner(
            executor: JobExecutor(store: store, threads: threads),
            writeSlots: context.configuration.uploaderWriteSlots, readSlots: context.configuration.uploaderReadSlots)
        let state = UploaderState()
        context.bus.provideMetrics { ObjectStoreMetrics.families(meter.totals) + state.metricFamilies }
        return [UploadService(context, runner: runner, state: state)]
    }

    private static func open(_ store: any ObjectStore, _ bucket: BucketSettings, _ context: ServiceContext) async throws
    {
        let now = WallClock.millisecondsNow()
        let opening = BucketOpening(store, wallMilliseconds: now)
        let memory = ProbeMemory(runDirectory: context.configuration.runDirectory, bucket: bucket.description)
        do throws(ObjectStoreError) {
            try await opening.claimFormat()
            if !memory.hasPassed(now: now) {
                try await opening.probe(run: context.instance.rawValue)
                memory.remember(now: now)
            }
        } catch {
            // What may pass by itself is left to whoever starts services again.
            guard error.disposition == .retry || error.disposition == .resolve else { throw error }
            throw ServiceFailure(.temporaryFailure, "\(bucket): \(error)")
        }
    }
}
