// SPDX-License-Identifier: Apache-2.0
import Platform
import ServiceLifecycle
import Synchronization

/// Runs the frontend's loop on its thread for as long as the service lives; a graceful shutdown asks the initiators to
/// log out first.
package final class FrontendService: Service {
    private let parts: FrontendParts
    private let loop: EventLoop
    private let isStopRequested = Atomic<Bool>(false)
    private let outcome = Mutex<Result<Void, any Error>>(.success(()))

    package init(_ parts: FrontendParts) throws {
        self.parts = parts
        loop = try EventLoop()
    }

    package func run() async throws {
        let thread = try IOThread(name: "iscsi-0") { [self] in
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
        let frontend = try FrontendLoop(parts, loop: loop) { [self] in isStopRequested.load(ordering: .acquiring) }
        // The loop's hooks know the frontend only unowned: it lives as long as the loop runs.
        try withExtendedLifetime(frontend) { try loop.run() }
    }
}
