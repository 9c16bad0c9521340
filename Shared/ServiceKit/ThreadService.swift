// SPDX-License-Identifier: Apache-2.0
package import Platform
import ServiceLifecycle

/// A data-plane thread as a service of the group: `run()` ends when the thread has ended.
///
/// At shutdown the thread is told once and then waited for, however long it takes: it owns buffers and sockets that
/// others use until it is through, so it cannot be abandoned. The group's own time limit ends the process instead.
package struct ThreadService: Service, CustomStringConvertible {
    private let thread: IOThread
    private let stop: @Sendable () -> Void

    /// - Parameter stop: tells the thread to end, from any thread; called at most twice.
    package init(_ thread: IOThread, stop: @escaping @Sendable () -> Void) {
        self.thread = thread
        self.stop = stop
    }

    package var description: String { thread.name }

    package func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await thread.finished()
        } onCancelOrGracefulShutdown: { [stop] in
            stop()
        }
    }
}
