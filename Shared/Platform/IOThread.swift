// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc
import Synchronization

/// A named thread that runs one body to its end. Someone has to wait for that end: `join()` blocks, `finished()`
/// suspends. Released before it ended, the thread runs on alone.
package final class IOThread: Sendable {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        let end: End
        init(name: String, body: @escaping @Sendable () -> Void, end: End) {
            self.name = name
            self.body = body
            self.end = end
        }
    }

    private final class End: Sendable {
        struct State {
            var isOver = false
            var waiting: [@Sendable () -> Void] = []
        }
        let state = Mutex(State())

        func reach() {
            let waiting = state.withLock { state in
                state.isOver = true
                let waiting = state.waiting
                state.waiting = []
                return waiting
            }
            for resume in waiting { resume() }
        }

        func whenReached(_ resume: @escaping @Sendable () -> Void) {
            let isOver = state.withLock { state in
                if !state.isOver { state.waiting.append(resume) }
                return state.isOver
            }
            if isOver { resume() }
        }
    }

    package let name: String
    private let end = End()

    /// - Parameter name: shown by `top -H`; at most 15 bytes of it.
    package init(name: String, body: @escaping @Sendable () -> Void) throws(SystemError) {
        self.name = name
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body, end: end))
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let result = unsafe pthread_create(&thread, &attributes, { unsafe threadMain($0) }, start.toOpaque())
        guard result == 0 else {
            unsafe start.release()
            throw SystemError(errorNumber: result, call: "pthread_create", path: name)
        }
    }

    /// Blocks until the body has returned. Never from a cooperative (async) thread: use `finished()` there.
    package func join() {
        let gate = BlockingQueue<Void>(capacity: 1)
        end.whenReached { _ = gate.push(()) }
        _ = gate.pop()
    }

    package func finished() async {
        await withCheckedContinuation { continuation in end.whenReached { continuation.resume() } }
    }

    fileprivate static func run(_ argument: UnsafeMutableRawPointer) {
        // Retained for this thread in `init`, consumed here exactly once.
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe sluice_name_thread(start.name)
        start.body()
        start.end.reach()
    }
}

private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument = unsafe argument { unsafe IOThread.run(argument) }
    return nil
}
