// SPDX-License-Identifier: Apache-2.0
import Bus
import Platform
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Runs the shard's loop on its thread for as long as the service lives; a graceful shutdown lets the volumes commit.
final class ShardService: Service {
    private let parts: ShardLoop.Parts
    private let loop: EventLoop
    private let isStopRequested = Atomic<Bool>(false)
    private let outcome = Mutex<Result<Void, any Error>>(.success(()))

    init(_ parts: ShardLoop.Parts) throws {
        self.parts = parts
        loop = try EventLoop()
    }

    func run() async throws {
        let thread = try IOThread(name: "shard-0") { [self] in
            let result = Result { try work() }
            outcome.withLock { $0 = result }
        }
        await withTaskCancellationOrGracefulShutdownHandler {
            await thread.finished()
        } onCancelOrGracefulShutdown: {
            self.isStopRequested.store(true, ordering: .releasing)
            self.loop.wake()
        }
        try outcome.withLock { $0 }.get()
    }

    /// The thread's body.
    private func work() throws {
        defer {
            parts.executor.shutDown()
            parts.cacheExecutor.shutDown()
        }
        let shardLoop = try ShardLoop(parts, loop: loop) { [self] in isStopRequested.load(ordering: .acquiring) }
        // The loop's hooks know the shard loop only unowned: it lives as long as the loop runs.
        try withExtendedLifetime(shardLoop) { try loop.run() }
    }
}
