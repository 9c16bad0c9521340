// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
package import ObjectStorage
package import Wire

/// Reads objects, ranges and frames, and passes nothing on that is short or damaged.
package struct FetchWorker: Sendable {
    private static let attempts = 3
    private let store: any ObjectStore
    private let retry: RetryPolicy

    package init(store: any ObjectStore, retry: RetryPolicy) {
        self.store = store
        self.retry = retry
    }

    package func object(_ key: ObjectKey) async -> JobAnswer {
        await answer { () throws(ObjectStoreError) in
            let contents = try await store.get(key)
            // What does not fit a message is no record of ours: packs are read in ranges.
            guard contents.bytes.count <= MessageLimits.frameByteCount else {
                let reason = "\(key): \(contents.bytes.count) bytes are too many to be sent whole"
                return JobAnswer(.refused(reason: reason))
            }
            return JobAnswer(
                .success(etag: contents.tag, storedByteCount: UInt64(contents.bytes.count)), payload: contents.bytes)
        }
    }

    package func range(_ key: ObjectKey, byteOffset: UInt64, byteCount: UInt32) async -> JobAnswer {
        guard byteCount <= MessageLimits.frameByteCount else {
            return JobAnswer(.refused(reason: "\(key): a range of \(byteCount) bytes is too large to be sent"))
        }
        return await answer { () throws(ObjectStoreError) in
            let bytes = try await store.getRange(key, byteOffset: byteOffset, byteCount: Int(byteCount))
            return JobAnswer(.success(etag: nil, storedByteCount: UInt64(bytes.count)), payload: bytes)
        }
    }

    /// Frames of a data pack that lie one after the other: fetched in one range, each verified against its own
    /// checksums and the pack's name, decompressed.
    package func frames(_ key: ObjectKey, byteOffset: UInt64, byteCounts: [UInt32]) async -> JobAnswer {
        guard let identity = PackIdentity(key) else {
            return JobAnswer(.refused(reason: "\(key) does not name a pack"))
        }
        if let largest = byteCounts.max(), largest > FrameFormat.lengthLimit {
            return JobAnswer(.refused(reason: "\(key): no frame has \(largest) bytes"))
        }
        guard !byteCounts.isEmpty, byteCounts.count <= MessageLimits.payloadFrameCount else {
            return JobAnswer(.refused(reason: "\(key): \(byteCounts.count) frames cannot be sent at once"))
        }
        let byteCount = byteCounts.reduce(0) { $0 + Int($1) }
        return await answer { () throws(ObjectStoreError) in
            let bytes = try await store.getRange(key, byteOffset: byteOffset, byteCount: byteCount)
            do throws(EngineError) {
                let codec = ZstdCodec()
                var payloads: [[UInt8]] = []
                var start = 0
                for count in byteCounts {
                    let range = start..<start + Int(count)
                    let contents = try FrameFormat.decode(bytes, in: range, expecting: identity, codec: codec)
                    payloads.append(contents.encoded())
                    start = range.upperBound
                }
                return JobAnswer(.success(etag: nil, storedByteCount: UInt64(bytes.count)), payloads: payloads)
            } catch {
                return JobAnswer(.corrupt(reason: "\(key) at \(byteOffset): \(error)"))
            }
        }
    }

    /// The names of the folders right below a prefix, one per line.
    package func folders(below prefix: String) async -> JobAnswer {
        await answer { () throws(ObjectStoreError) in
            let lines = try await store.folders(below: prefix).flatMap { Array("\($0)\n".utf8) }
            guard lines.count <= MessageLimits.frameByteCount else {
                return JobAnswer(.refused(reason: "'\(prefix)': the listing is too long to be sent"))
            }
            return JobAnswer(.success(etag: nil, storedByteCount: UInt64(lines.count)), payload: lines)
        }
    }

    /// What is damaged is read again at once: most likely it was damaged on the way.
    private func answer(_ read: () async throws(ObjectStoreError) -> JobAnswer) async -> JobAnswer {
        var answer = await attempt(read)
        for _ in 1..<Self.attempts {
            guard case .corrupt = answer.outcome else { break }
            answer = await attempt(read)
        }
        return answer
    }

    private func attempt(_ read: () async throws(ObjectStoreError) -> JobAnswer) async -> JobAnswer {
        do {
            return try await retry.run(clock: ContinuousClock(), read)
        } catch {
            return JobAnswer(UploadResult.Outcome(error))
        }
    }
}

extension PackIdentity {
    /// Which pack an object's key names: `volumes/<volume>/data/<shard>/<pack name>`.
    init?(_ key: ObjectKey) {
        let parts = key.name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, let volume = VolumeID(String(parts[1])), let name = PackName(String(parts[4])),
            key == BucketLayout.dataPack(volume, name)
        else { return nil }
        self.init(volume: volume, name: name)
    }
}
