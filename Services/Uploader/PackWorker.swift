// SPDX-License-Identifier: Apache-2.0
package import Bus
import Engine
import Messages
package import ObjectStorage
package import Wire

/// Builds packs and stores them. Compression runs on threads of its own, one per processor.
package struct PackWorker: Sendable {
    private let store: any ObjectStore
    private let threads: BlockingThreads
    private let retry: RetryPolicy

    package init(store: any ObjectStore, threads: BlockingThreads, retry: RetryPolicy) {
        self.store = store
        self.threads = threads
        self.retry = retry
    }

    /// - Parameters:
    ///   - plan: an encoded `PackPlan`.
    ///   - blocks: 4 KiB for each of the plan's blocks, in its order; nil if it has none.
    /// - Returns: the pack's size, its encoded directory as payload.
    package func put(_ key: ObjectKey, plan: [UInt8], blocks: Frame?) async -> JobAnswer {
        let pack: BuiltPack
        do {
            pack = try await threads.run(throwing: { () throws(EngineError) in
                let plan = try PackPlan(decoding: plan)
                guard key == BucketLayout.dataPack(plan.volume, plan.name) else {
                    throw .misplaced(.packPlan, reason: "pack \(plan.name) of \(plan.volume) for \(key)")
                }
                guard let blocks else {
                    return try unsafe PackBuilder().build(
                        plan: plan, blocks: UnsafeRawBufferPointer(start: nil, count: 0))
                }
                return try unsafe PackBuilder().build(plan: plan, blocks: blocks.bytes)
            })
        } catch {
            // Data and plan do not fit each other: something between journal and here has altered one of them.
            return JobAnswer(.corrupt(reason: "pack \(key): \(error)"))
        }
        do {
            let tag = try await retry.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                try await store.put(key, pack.bytes, .absent)
            }
            return JobAnswer(
                .success(etag: tag, storedByteCount: UInt64(pack.bytes.count)), payload: pack.directoryBytes)
        } catch {
            return JobAnswer(UploadResult.Outcome(error))
        }
    }
}
