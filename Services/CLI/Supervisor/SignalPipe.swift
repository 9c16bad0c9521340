// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import Synchronization

/// Signals as bytes in a pipe, so that one poll(2) can wait for them together with everything else.
struct SignalPipe {
    let descriptor: Int32

    /// Written by `init` before any handler can run, read by the handler only.
    private static let writer = Atomic<Int32>(-1)

    init(_ signals: [Int32]) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .last("pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        descriptor = ends[0]
        Self.writer.store(ends[1], ordering: .sequentiallyConsistent)
        for number in signals {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { number in
                // Only calls that POSIX allows in a handler; a full pipe already holds a wake-up.
                var byte = UInt8(truncatingIfNeeded: number)
                let saved = errno
                unsafe _ = write(SignalPipe.writer.load(ordering: .sequentiallyConsistent), &byte, 1)
                errno = saved
            }
            action.sa_flags = SA_RESTART
            guard unsafe sigaction(number, &action, nil) == 0 else { throw .last("sigaction") }
        }
    }

    /// The signals that came since the last call.
    func drain() -> [Int32] {
        var bytes = [UInt8](repeating: 0, count: 64)
        var signals: [Int32] = []
        while true {
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return signals }
            signals += bytes[..<count].map { Int32($0) }
        }
    }
}
