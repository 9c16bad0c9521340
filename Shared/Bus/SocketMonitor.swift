// SPDX-License-Identifier: Apache-2.0
import CZeroMQ
import Glibc
import Synchronization

/// What happened to a socket's connections. Messages and events come on separate ways: an event may be seen a little
/// before or after the messages around it.
package enum ConnectionEvent: Equatable, Sendable {
    /// The two sides have agreed on ZeroMQ's protocol: messages flow.
    case connected
    case disconnected
    /// The other side ended the connection before they had agreed: over a network, as a rule, because of a key.
    case refused
}

/// ZeroMQ's own report of one socket's connections. Lives and dies on the socket's thread, before the socket.
///
/// ZeroMQ's I/O thread sends the events and would block while the observer is full or gone. So the observer's queue has
/// no limit (its owner empties it in every iteration), and the socket is told to stop before the observer closes.
@safe final class SocketMonitor {
    struct News {
        var event: ConnectionEvent
        /// The connection's; the kernel may have given it to another since.
        var descriptor: Int32
        /// ZeroMQ will not try this connection again.
        var isFinal = false
    }

    private static let failures =
        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
    private static let counter = Atomic<UInt64>(0)
    private let observed: Socket
    private let observer: Socket
    private let frame = Frame()

    /// Before the socket connects to anything.
    init(of socket: Socket, context: BusContext) throws(BusError) {
        let name = "inproc://monitor-\(Self.counter.add(1, ordering: .relaxed).newValue)"
        let events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | Self.failures
        observed = socket
        observer = try Socket(type: ZMQ_PAIR, context: context)
        try observer.set(ZMQ_RCVHWM, Int32(0))
        guard unsafe zmq_socket_monitor(socket.openHandle(), name, events) == 0 else {
            throw .lastZeroMQ("zmq_socket_monitor")
        }
        guard unsafe zmq_connect(observer.openHandle(), name) == 0 else {
            let error = BusError.lastZeroMQ("zmq_connect")
            observed.stopMonitoring()
            throw error
        }
    }

    deinit { observed.stopMonitoring() }

    var fileDescriptor: Int32 { observer.fileDescriptor }

    /// nil when nothing waits.
    func next() -> News? {
        while observer.receive(into: frame) {
            // 16 bits say what happened, 32 to which descriptor or, for some events, why.
            let isWhole = frame.byteCount >= 6
            let event = unsafe isWhole ? Int32(frame.bytes.loadUnaligned(as: UInt16.self)) : 0
            let value = unsafe isWhole ? frame.bytes.loadUnaligned(fromByteOffset: 2, as: Int32.self) : -1
            // The second part is the address; ours is known.
            while frame.hasMore, observer.receive(into: frame) {}
            if event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED { return News(event: .connected, descriptor: value) }
            if event == ZMQ_EVENT_DISCONNECTED { return News(event: .disconnected, descriptor: value) }
            // The values of these are reasons, not descriptors.
            if event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL {
                // Whoever cannot read our handshake closes; one that is silent is no answer.
                guard value == EPIPE || value == ECONNRESET else { continue }
                return News(event: .refused, descriptor: -1)
            }
            if event & Self.failures != 0 { return News(event: .refused, descriptor: -1, isFinal: true) }
        }
        return nil
    }

    func close() {
        observed.stopMonitoring()
        observer.close()
    }
}
