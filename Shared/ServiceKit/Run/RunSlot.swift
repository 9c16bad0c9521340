// SPDX-License-Identifier: Apache-2.0
package import Bus
import Glibc
package import Messages
import Platform

/// The place of one running process in the run directory: `<service>-<n>.lock` held for its whole life, and
/// `<service>-<n>.sock`, `<service>-<n>.pid` and `<service>-<n>.starts` beside it.
///
/// The lock is the kernel's, so it falls with the process however that ends; the files may outlive it.
package final class RunSlot: Sendable {
    package let kind: ServiceKind
    package let number: Int
    /// How many processes before this one had the slot and ended without meaning to.
    package let restartCount: UInt64
    private let path: String
    private let descriptor: Int32

    init(kind: ServiceKind, number: Int, path: String, descriptor: Int32) {
        self.kind = kind
        self.number = number
        self.path = path
        self.descriptor = descriptor
        restartCount = Self.countStart(in: path + ".starts")
    }

    /// A count that cannot be kept is no reason not to start.
    private static func countStart(in file: String) -> UInt64 {
        let bytes = (try? FileSystem.readFile(file, limit: 32)) ?? []
        let count = UInt64(String(decoding: bytes, as: UTF8.self).prefix { $0.isASCII && $0.isNumber }) ?? 0
        try? FileSystem.replace(file, with: "\(count + 1)\n")
        return count
    }

    /// `cache-0`: the process's name in logs, metrics and `sluice status`.
    package var name: String { "\(kind.shortName)-\(number)" }
    /// Where the service answers requests; the bus thread binds it.
    package func endpoint() throws(BusError) -> Endpoint { try Endpoint(path: path + ".sock") }
    /// Where a data-plane thread takes I/O messages, for services that have one.
    package func dataEndpoint() throws(BusError) -> Endpoint { try Endpoint(path: path + ".data.sock") }

    /// Says that the process ended on purpose: a slot that is neither held nor has a process id is nobody's.
    package func release() {
        unsafe unlink(path + ".pid")
        unsafe unlink(path + ".starts")
    }

    /// Closing the descriptor gives the slot back; the lock file stays, because removing it could hand one slot to
    /// two processes that opened the old and the new file.
    deinit { close(descriptor) }
}
