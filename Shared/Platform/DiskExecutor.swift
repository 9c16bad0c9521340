// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A few threads for calls that block: fdatasync, cold reads, directory work. Loops submit through a `DiskPort`.
/// Operations start in the order of submission; with more than one thread they may finish in any other.
package final class DiskExecutor: Sendable {
    fileprivate let queue: BlockingQueue<@Sendable () -> Void>
    private let threads: [IOThread]

    /// - Parameter capacity: operations that wait for a thread, over all ports.
    package init(name: String = "disk", threadCount: Int, capacity: Int = 4096) throws(SystemError) {
        precondition(threadCount > 0)
        let queue = BlockingQueue<@Sendable () -> Void>(capacity: capacity)
        self.queue = queue
        var threads: [IOThread] = []
        do {
            for index in 0..<threadCount {
                threads.append(try IOThread(name: "\(name)-\(index)") { while let job = queue.pop() { job() } })
            }
        } catch {
            queue.close()
            throw error
        }
        self.threads = threads
    }

    /// Finishes what was submitted, then ends the threads. Blocks; completions still go to their loops.
    package func shutDown() {
        queue.close()
        for thread in threads { thread.join() }
    }

    deinit { queue.close() }
}

/// One loop's way into a `DiskExecutor`: completions come back on that loop, in one wake per batch.
/// Confined to its loop's thread.
package final class DiskPort {
    /// A completion on its way through another thread, which does not touch it: that is the proof.
    private struct Confined: @unchecked Sendable { let call: () -> Void }

    private let executor: DiskExecutor
    private let loop: EventLoop
    private let completions: Mailbox<Confined>
    private let capacity: Int
    /// Operations submitted whose completion has not run yet.
    package private(set) var operationsInFlight = 0

    /// - Parameter capacity: the most operations in flight; the mailbox holds as many, so no completion is ever lost.
    package init(executor: DiskExecutor, loop: EventLoop, capacity: Int = 1024) {
        self.executor = executor
        self.loop = loop
        self.capacity = capacity
        completions = Mailbox(loop: loop, capacity: capacity) { $0.call() }
    }

    /// Runs `operation` on a disk thread, then `completion` on the loop with what it returned.
    /// - Returns: false if too much is in flight; nothing was started.
    package func submit<Output: Sendable>(
        _ operation: @escaping @Sendable () -> Output, completion: @escaping (Output) -> Void
    ) -> Bool {
        loop.preconditionOnLoop()
        guard operationsInFlight < capacity else { return false }
        let confined = Handover(completion: completion, port: self)
        let completions = completions
        let isTaken = executor.queue.push {
            let output = operation()
            _ = completions.post(Confined { confined.finish(output) })
        }
        if isTaken { operationsInFlight += 1 }
        return isTaken
    }

    /// Holds what only the loop may touch while a disk thread carries it: that is the proof for `@unchecked Sendable`.
    /// Emptied on the loop, so that nothing of it is ever released on a disk thread.
    private final class Handover<Output: Sendable>: @unchecked Sendable {
        private var completion: ((Output) -> Void)?
        private var port: DiskPort?
        init(completion: @escaping (Output) -> Void, port: DiskPort) {
            self.completion = completion
            self.port = port
        }
        func finish(_ output: Output) {
            port?.operationsInFlight -= 1
            port = nil
            let completion = completion
            self.completion = nil
            completion?(output)
        }
    }
}
