// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc

/// An eventfd: any thread signals, one loop waits for it. Signals that were not consumed yet merge into one.
package final class Wakeup: Sendable {
    /// Readable while a signal waits. Owned by this object and closed with it.
    package let fileDescriptor: Int32

    package init() throws(SystemError) {
        fileDescriptor = sluice_eventfd()
        guard fileDescriptor >= 0 else { throw .last("eventfd") }
    }

    package func signal() {
        var one: UInt64 = 1
        // EAGAIN means that the counter is full: a signal waits already, which is all that is wanted.
        while unsafe write(fileDescriptor, &one, 8) < 0, errno == EINTR {}
    }

    package func consume() {
        var count: UInt64 = 0
        while unsafe read(fileDescriptor, &count, 8) < 0, errno == EINTR {}
    }

    deinit { _ = close(fileDescriptor) }
}
