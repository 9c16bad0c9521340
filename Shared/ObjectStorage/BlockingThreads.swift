// SPDX-License-Identifier: Apache-2.0
package import Platform

/// A fixed number of threads for calls that block or compute for long (files, compression), so that Swift's
/// cooperative pool, which has one thread per core, never waits for a disk. Work starts in the order it came.
///
/// The threads end, after the work that waits, when the last reference is gone.
package final class BlockingThreads: Sendable {
    private let queue: BlockingQueue<@Sendable () -> Void>

    /// - Parameter capacity: work that waits for a thread; beyond it callers wait in turns.
    package init(name: String, count: Int, capacity: Int = 4096) throws(SystemError) {
        precondition(count > 0)
        let queue = BlockingQueue<@Sendable () -> Void>(capacity: capacity)
        self.queue = queue
        do {
            for number in 0..<count {
                _ = try IOThread(name: "\(name)-\(number)") { while let work = queue.pop() { work() } }
            }
        } catch {
            queue.close()
            throw error
        }
    }

    deinit { queue.close() }

    /// Runs `work` on one of the threads.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        while true {
            let value: Value? = await withCheckedContinuation { continuation in
                let isTaken = queue.push { continuation.resume(returning: work()) }
                if !isTaken { continuation.resume(returning: nil) }
            }
            if let value { return value }
            await Task.yield()
        }
    }

    /// Runs `work` on one of the threads and throws what it throws.
    package func run<Value: Sendable, Failure: Error>(
        throwing work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result = await run { Result<Value, Failure>(catching: work) }
        return try result.get()
    }
}
