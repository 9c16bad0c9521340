// SPDX-License-Identifier: Apache-2.0
import CZeroMQ
package import Platform

/// One part of a ZeroMQ message: block data or a body. Its memory belongs to ZeroMQ or to an `IOBuffer`.
///
/// The `zmq_msg_t` lives in allocated memory (it must not be moved) and is closed with the object. Contents do not
/// change after `init`, except by `Socket.receive(into:)` on frames that only that socket's thread uses. ZeroMQ counts
/// references to contents atomically, so a frame may be released on any thread. One thread at a time sends it. That is
/// the proof for `@safe` and `@unchecked Sendable`.
@safe package final class Frame: @unchecked Sendable {
    let message: UnsafeMutablePointer<zmq_msg_t>

    /// Without contents, to receive into.
    init() {
        unsafe message = .allocate(capacity: 1)
        unsafe zmq_msg_init(message)
    }

    /// `fill` writes all of the new memory.
    package init(byteCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
        unsafe message = .allocate(capacity: 1)
        let result = unsafe zmq_msg_init_size(message, byteCount)
        precondition(result == 0, "out of memory")
        unsafe fill(UnsafeMutableRawBufferPointer(start: zmq_msg_data(message), count: byteCount))
    }

    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        unsafe self.init(byteCount: bytes.count) { target in unsafe target.copyMemory(from: bytes) }
    }

    package convenience init(_ bytes: [UInt8]) {
        unsafe self.init(byteCount: bytes.count) { target in unsafe target.copyBytes(from: bytes) }
    }

    /// No copy: ZeroMQ reads the buffer when it sends and keeps it until then. The caller does not change these bytes
    /// as long as the frame or a message made of it exists.
    package init(sharing buffer: IOBuffer, range: Range<Int>? = nil) {
        let bytes = unsafe buffer.bytes(range ?? 0..<buffer.byteCount)
        let retained = unsafe Unmanaged.passRetained(buffer).toOpaque()
        unsafe message = .allocate(capacity: 1)
        let result = unsafe zmq_msg_init_data(
            message, bytes.baseAddress, bytes.count, { unsafe releaseBuffer($1) }, retained)
        precondition(result == 0, "out of memory")
    }

    deinit {
        unsafe zmq_msg_close(message)
        unsafe message.deallocate()
    }

    package var byteCount: Int { unsafe zmq_msg_size(message) }

    /// Valid as long as the frame is.
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
    }

    package var array: [UInt8] { unsafe [UInt8](bytes) }

    /// The connection's descriptor at the time it was received into this frame; nil where there is none (inproc).
    var sourceDescriptor: Int32? {
        let descriptor = unsafe zmq_msg_get(message, ZMQ_SRCFD)
        return descriptor >= 0 ? descriptor : nil
    }

    /// Whose key its connection has, as `Authenticator` named it; nil on a connection without keys.
    var userID: String? {
        guard let text = unsafe zmq_msg_gets(message, "User-Id") else { return nil }
        return unsafe String(cString: text)
    }

    /// Does another part of the same message follow the one received into this frame?
    var hasMore: Bool { unsafe zmq_msg_more(message) != 0 }
}

/// Called by ZeroMQ, on its I/O thread as a rule, once for each frame that shares a buffer.
private func releaseBuffer(_ hint: UnsafeMutableRawPointer?) {
    guard let hint = unsafe hint else { return }
    unsafe Unmanaged<IOBuffer>.fromOpaque(hint).release()
}
