// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Messages
package import ObjectStorage
import Platform

/// Carries out one job, whatever it is. Holds nothing between jobs.
package struct JobExecutor: Sendable {
    private let store: any ObjectStore
    private let packs: PackWorker
    private let fetches: FetchWorker
    private let retry: RetryPolicy

    /// - Parameters:
    ///   - store: has passed `BucketOpening`.
    ///   - retry: evens out moments; whoever sent the job decides about anything longer.
    package init(
        store: any ObjectStore, threads: BlockingThreads,
        retry: RetryPolicy = RetryPolicy(
            firstPause: .milliseconds(20), maximumPause: .milliseconds(250), deadline: .seconds(1),
            patience: .seconds(5))
    ) {
        self.store = store
        self.retry = retry
        packs = PackWorker(store: store, threads: threads, retry: retry)
        fetches = FetchWorker(store: store, retry: retry)
    }

    package func execute(_ work: UploadJob.Work, payload: [Frame]) async -> JobAnswer {
        switch work {
        case .putPack(let key, let plan):
            guard payload.count <= 1 else { return Self.wrongPayload(payload.count) }
            return await packs.put(key, plan: plan, blocks: payload.first)
        case .putObject(let key, let precondition):
            guard payload.count == 1 else { return Self.wrongPayload(payload.count) }
            let bytes = payload[0].array
            do {
                let tag = try await retry.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                    try await store.put(key, bytes, precondition)
                }
                return JobAnswer(.success(etag: tag, storedByteCount: UInt64(bytes.count)))
            } catch {
                return JobAnswer(UploadResult.Outcome(error))
            }
        case .getObject(let key): return await fetches.object(key)
        case .getRange(let key, let byteOffset, let byteCount):
            return await fetches.range(key, byteOffset: byteOffset, byteCount: byteCount)
        case .getFrames(let key, let byteOffset, let byteCounts):
            return await fetches.frames(key, byteOffset: byteOffset, byteCounts: byteCounts)
        case .listFolders(let prefix): return await fetches.folders(below: prefix)
        // A store that does not pass the probe keeps its uploader from starting, so the verdict is in already.
        case .probe: return JobAnswer(.success(etag: nil, storedByteCount: 0))
        }
    }

    private static func wrongPayload(_ count: Int) -> JobAnswer {
        JobAnswer(.refused(reason: "a job with \(count) payload frames"))
    }
}

extension UploadJob.Work {
    /// What is known of a job that did not end in time.
    package func timeoutOutcome(milliseconds: UInt32, hasStarted: Bool) -> UploadResult.Outcome {
        let reason = hasStarted ? "no answer from the bucket within \(milliseconds) ms" : "no slot was free in time"
        return switch lane {
        case .write where hasStarted: .ambiguous(reason: reason)
        case .read, .write: .unavailable(reason: reason)
        }
    }
}
