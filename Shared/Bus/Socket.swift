// SPDX-License-Identifier: Apache-2.0
import CZeroMQ
import Glibc
import Platform

/// A ZeroMQ socket that never blocks and never keeps anything back when it closes.
///
/// It belongs for life to the thread that made it; every call checks that. It is not `Sendable`.
@safe package final class Socket {
    package enum Role: Sendable {
        /// Accepts peers and names them.
        case router
        /// Connects to one peer under this name.
        case dealer(PeerIdentity)
    }

    package struct Options: Sendable {
        /// Messages that wait in either direction, for each peer.
        package var highWaterMark: Int32 = 256
        package var frameByteLimit = 32 << 20
        /// A peer silent for this long, although asked every `heartbeatInterval`, counts as gone.
        package var heartbeatTimeout: Duration = .seconds(3)
        package var heartbeatInterval: Duration = .seconds(1)
        package var handshakeTimeout: Duration = .seconds(3)
        package var firstReconnectDelay: Duration = .milliseconds(10)
        package var longestReconnectDelay: Duration = .milliseconds(200)
        /// Over a network each attempt costs both sides a handshake, also of a peer that will always be refused.
        package var firstNetworkReconnectDelay: Duration = .milliseconds(100)
        package var longestNetworkReconnectDelay: Duration = .seconds(1)
        package var connectTimeout: Duration = .seconds(2)
        package init() {}
    }

    package enum SendResult: Equatable, Sendable {
        case sent
        /// The peer's queue is full, or it is not connected now. Nothing was sent.
        case full
        /// The ROUTER knows no such peer (any more). Nothing was sent.
        case unreachable
    }

    private let context: BusContext
    private var handle: UnsafeMutableRawPointer?
    private let options: Options
    private let owner = pthread_self()
    /// What is handed to ZeroMQ on sending; frames themselves stay whole and can be sent again.
    private let outgoing = Frame()

    package convenience init(_ role: Role, context: BusContext, options: Options = Options()) throws(BusError) {
        switch role {
        case .router:
            try self.init(type: ZMQ_ROUTER, context: context, options: options)
            try set(ZMQ_ROUTER_MANDATORY, Int32(1))
            try set(ZMQ_ROUTER_HANDOVER, Int32(1))
        case .dealer(let identity):
            try self.init(type: ZMQ_DEALER, context: context, options: options)
            // Without a connection nothing is queued: the caller learns at once and decides.
            try set(ZMQ_IMMEDIATE, Int32(1))
            try set(ZMQ_ROUTING_ID, identity)
        }
        try apply(options)
    }

    init(type: Int32, context: BusContext, options: Options = Options()) throws(BusError) {
        self.context = context
        self.options = options
        unsafe handle = zmq_socket(context.handle, type)
        guard unsafe handle != nil else { throw .lastZeroMQ("zmq_socket") }
        try set(ZMQ_LINGER, Int32(0))
    }

    deinit {
        // The last reference may go elsewhere; releasing it ordered all earlier calls before this one, which is what
        // ZeroMQ asks for when a socket changes threads.
        if let handle = unsafe handle { unsafe zmq_close(handle) }
    }

    private func apply(_ options: Options) throws(BusError) {
        try set(ZMQ_SNDHWM, options.highWaterMark)
        try set(ZMQ_RCVHWM, options.highWaterMark)
        try set(ZMQ_MAXMSGSIZE, Int64(options.frameByteLimit))
        try set(ZMQ_HEARTBEAT_IVL, milliseconds(options.heartbeatInterval))
        try set(ZMQ_HEARTBEAT_TIMEOUT, milliseconds(options.heartbeatTimeout))
        // What the peer is asked to expect of us: it notices our end as soon as we notice its own.
        try set(ZMQ_HEARTBEAT_TTL, milliseconds(options.heartbeatTimeout))
        try set(ZMQ_CONNECT_TIMEOUT, milliseconds(options.connectTimeout))
        try set(ZMQ_HANDSHAKE_IVL, milliseconds(options.handshakeTimeout))
        try set(ZMQ_RECONNECT_IVL, milliseconds(options.firstReconnectDelay))
        try set(ZMQ_RECONNECT_IVL_MAX, milliseconds(options.longestReconnectDelay))
    }

    // MARK: Connecting

    /// A socket file is open to this user only. Refuses an endpoint that a live process serves: ZeroMQ alone would take
    /// a socket file away from that process.
    package func bind(_ endpoint: Endpoint) throws(BusError) {
        let socket = unsafe openHandle()
        guard !endpoint.isServed() else { throw .inUse(endpoint) }
        try secure(endpoint, asServer: true)
        guard unsafe zmq_bind(socket, endpoint.description) == 0 else {
            switch zmq_errno() {
            case EADDRINUSE: throw .inUse(endpoint)
            case EADDRNOTAVAIL, EACCES, ENODEV:
                throw unsafe .cannotListen(endpoint, reason: String(cString: zmq_strerror(zmq_errno())))
            default: throw .lastZeroMQ("cannot bind \(endpoint)")
            }
        }
        if let path = endpoint.path { _ = unsafe chmod(path, 0o600) }
    }

    /// Returns at once; ZeroMQ connects, and connects again, for as long as the socket is open.
    package func connect(_ endpoint: Endpoint) throws(BusError) {
        let socket = unsafe openHandle()
        try secure(endpoint, asServer: false)
        guard unsafe zmq_connect(socket, endpoint.description) == 0 else {
            throw .lastZeroMQ("cannot connect to \(endpoint)")
        }
    }

    /// For an endpoint that ZeroMQ has given up.
    func reconnect(_ endpoint: Endpoint) throws(BusError) {
        unsafe zmq_disconnect(openHandle(), endpoint.description)
        try connect(endpoint)
    }

    /// What ZeroMQ is told before it binds or connects holds for that endpoint: one socket can serve a Unix socket,
    /// which the file system guards, and a network, where nobody is admitted without a listed key.
    private func secure(_ endpoint: Endpoint, asServer: Bool) throws(BusError) {
        guard case .network(let address, let kind) = endpoint.place else {
            try set(ZMQ_CURVE_SERVER, Int32(0))
            return try set(ZMQ_ZAP_DOMAIN, "")
        }
        guard let keys = context.keys else { throw .noKey(endpoint) }
        try set(ZMQ_IPV6, Int32(address.isIPv6 ? 1 : 0))
        if asServer {
            guard kind == keys.own else { throw .noKey(endpoint) }
            try set(ZMQ_CURVE_SERVER, Int32(1))
            try set(ZMQ_CURVE_SECRETKEY, keys.secretKey.text)
            try set(ZMQ_ZAP_DOMAIN, Authenticator.domain)
        } else {
            guard let serverKey = keys.publicKey(of: kind) else { throw .noKey(endpoint) }
            try set(ZMQ_RECONNECT_IVL, milliseconds(options.firstNetworkReconnectDelay))
            try set(ZMQ_RECONNECT_IVL_MAX, milliseconds(options.longestNetworkReconnectDelay))
            try set(ZMQ_CURVE_SERVERKEY, serverKey.text)
            try set(ZMQ_CURVE_PUBLICKEY, keys.secretKey.publicKey.text)
            try set(ZMQ_CURVE_SECRETKEY, keys.secretKey.text)
        }
    }

    /// Twice is harmless; any other call after this is a programmer's error.
    package func close() {
        precondition(pthread_self() == owner, "a socket belongs to one thread")
        guard let open = unsafe handle else { return }
        unsafe handle = nil
        unsafe zmq_close(open)
    }

    /// Readable when ZeroMQ has something to process; see `MessageSocket.attach` for how it has to be treated.
    package var fileDescriptor: Int32 {
        var descriptor: Int32 = -1
        var size = MemoryLayout<Int32>.size
        let result = unsafe zmq_getsockopt(openHandle(), ZMQ_FD, &descriptor, &size)
        precondition(result == 0, "every open socket has a descriptor")
        return descriptor
    }

    /// Does some peer's queue have room now?
    var isWritable: Bool {
        var events: Int32 = 0
        var size = MemoryLayout<Int32>.size
        guard unsafe zmq_getsockopt(openHandle(), ZMQ_EVENTS, &events, &size) == 0 else { return false }
        return events & ZMQ_POLLOUT != 0
    }

    // MARK: Messages

    /// Only the first part of a message can be refused; the others follow it.
    package func send(_ frame: Frame, more: Bool) -> SendResult {
        // Shares the contents (ZeroMQ counts the references), so the frame stays as it is.
        unsafe zmq_msg_copy(outgoing.message, frame.message)
        return sendOutgoing(more: more)
    }

    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool) -> SendResult {
        unsafe zmq_msg_close(outgoing.message)
        let result = unsafe zmq_msg_init_size(outgoing.message, bytes.count)
        precondition(result == 0, "out of memory")
        if let base = bytes.baseAddress, bytes.count > 0 {
            unsafe memcpy(zmq_msg_data(outgoing.message), base, bytes.count)
        }
        return sendOutgoing(more: more)
    }

    package func send(_ bytes: [UInt8], more: Bool) -> SendResult {
        unsafe bytes.withUnsafeBytes { unsafe send($0, more: more) }
    }

    func send(_ identity: PeerIdentity) -> SendResult { unsafe identity.withBytes { unsafe send($0, more: true) } }

    private func sendOutgoing(more: Bool) -> SendResult {
        let socket = unsafe openHandle()
        let flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)
        while unsafe zmq_msg_send(outgoing.message, socket, flags) < 0 {
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return .full
            default: return .unreachable
            }
        }
        return .sent
    }

    /// One part, without waiting. Call until false: only that makes the descriptor tell of what comes next.
    package func receive(into frame: Frame) -> Bool {
        let socket = unsafe openHandle()
        while unsafe zmq_msg_recv(frame.message, socket, ZMQ_DONTWAIT) < 0 {
            if zmq_errno() != EINTR { return false }
        }
        return true
    }

    /// A whole message, for tests and cold paths; nil if none waits.
    package func receiveAll() -> [[UInt8]]? {
        let frame = Frame()
        guard receive(into: frame) else { return nil }
        var parts = [frame.array]
        while frame.hasMore, receive(into: frame) { parts.append(frame.array) }
        return parts
    }

    // MARK: Private parts

    func openHandle() -> UnsafeMutableRawPointer {
        precondition(pthread_self() == owner, "a socket belongs to one thread")
        guard let open = unsafe handle else { preconditionFailure("the socket is closed") }
        return unsafe open
    }

    /// Harmless when there is no monitor, or the socket is closed.
    func stopMonitoring() {
        if let open = unsafe handle { unsafe zmq_socket_monitor(open, nil, 0) }
    }

    func set<Value: BitwiseCopyable>(_ option: Int32, _ value: Value) throws(BusError) {
        let socket = unsafe openHandle()
        let result = unsafe withUnsafeBytes(of: value) { bytes in
            unsafe zmq_setsockopt(socket, option, bytes.baseAddress, bytes.count)
        }
        guard result == 0 else { throw .lastZeroMQ("zmq_setsockopt \(option)") }
    }

    private func set(_ option: Int32, _ text: String) throws(BusError) {
        let socket = unsafe openHandle()
        // ZeroMQ takes an empty text as no text only.
        let result =
            text.isEmpty
            ? unsafe zmq_setsockopt(socket, option, nil, 0)
            : unsafe zmq_setsockopt(socket, option, text, text.utf8.count)
        guard result == 0 else { throw .lastZeroMQ("zmq_setsockopt \(option)") }
    }

    private func set(_ option: Int32, _ identity: PeerIdentity) throws(BusError) {
        let socket = unsafe openHandle()
        let result = unsafe identity.withBytes { bytes in
            unsafe zmq_setsockopt(socket, option, bytes.baseAddress, bytes.count)
        }
        guard result == 0 else { throw .lastZeroMQ("zmq_setsockopt \(option)") }
    }

    private func milliseconds(_ duration: Duration) -> Int32 {
        let (seconds, attoseconds) = duration.components
        return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}
