// SPDX-License-Identifier: Apache-2.0
import CZeroMQ
import Glibc
package import Logging

/// ZeroMQ's I/O thread and the sockets that it serves. One per service process; tests make several.
///
/// The sockets hold their context, so it ends after the last of them; ending waits until every descriptor and socket
/// file is gone. A ZeroMQ context may be used by all threads at once: that is the proof for `@unchecked Sendable`.
@safe package final class BusContext: @unchecked Sendable {
    let handle: UnsafeMutableRawPointer
    /// nil: Unix sockets only.
    let keys: BusKeys?

    /// - Parameters:
    ///   - keys: for network sockets; without them none can be made.
    ///   - logger: told of strangers.
    package init(
        keys: BusKeys? = nil, logger: Logger = Logger(label: "bus"), ioThreadCount: Int = 1
    ) throws(BusError) {
        guard let handle = unsafe zmq_ctx_new() else { throw .lastZeroMQ("zmq_ctx_new") }
        // Both options exist and the values are allowed: neither call can fail.
        unsafe zmq_ctx_set(handle, ZMQ_IO_THREADS, Int32(ioThreadCount))
        unsafe zmq_ctx_set(handle, ZMQ_BLOCKY, 0)
        do throws(BusError) {
            if let keys { unsafe try Authenticator.start(in: handle, keys: keys, logger: logger) }
        } catch {
            unsafe zmq_ctx_term(handle)
            throw error
        }
        unsafe self.handle = handle
        self.keys = keys
    }

    deinit {
        while unsafe zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
    }
}

extension BusError {
    /// The calling thread's ZeroMQ error, read at once after a failed call.
    static func lastZeroMQ(_ call: String) -> BusError {
        .zeroMQ(call: call, reason: unsafe String(cString: zmq_strerror(zmq_errno())))
    }
}
