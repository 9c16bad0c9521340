// SPDX-License-Identifier: Apache-2.0
package import ObjectStorage
import Platform
package import Wire

/// Lets a thread of its own, which may block, read from a bucket, which is asynchronous. One thread calls `read`, one
/// task runs `serve`.
package final class BlockingReads: Sendable {
    private struct Request: Sendable {
        var key: ObjectKey
        var byteOffset: UInt64
        var byteCount: Int
    }

    private let requests: AsyncStream<Request>
    private let sink: AsyncStream<Request>.Continuation
    private let answers = BlockingQueue<Result<[UInt8], ObjectStoreError>>(capacity: 1)

    package init() { (requests, sink) = AsyncStream.makeStream(of: Request.self) }

    /// Blocks until the bytes are there; never on a thread that runs tasks.
    package func read(_ key: ObjectKey, _ byteOffset: UInt64, _ byteCount: Int) throws -> [UInt8] {
        sink.yield(Request(key: key, byteOffset: byteOffset, byteCount: byteCount))
        guard let answer = answers.pop() else { throw CancellationError() }
        return try answer.get()
    }

    /// Answers until `finish()`, or until the task is cancelled: then reads fail.
    package func serve(_ store: any ObjectStore) async {
        for await request in requests {
            let answer: Result<[UInt8], ObjectStoreError>
            do {
                answer = .success(
                    try await store.getRange(
                        request.key, byteOffset: request.byteOffset, byteCount: request.byteCount))
            } catch {
                answer = .failure(error)
            }
            // One request is open at a time, so there is room for its answer.
            _ = answers.push(answer)
        }
        answers.close()
    }

    package func finish() { sink.finish() }
}
