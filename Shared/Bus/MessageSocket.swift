// SPDX-License-Identifier: Apache-2.0
package import Logging
package import Messages
package import Platform
package import Wire

/// Speaks the schema over one ZeroMQ socket, for an event loop: a reactor's data socket or one of the bus thread's.
///
/// Whatever a peer sends, the caller sees valid envelopes only; the rest is counted, logged at a limited rate and,
/// where it was a request, answered with a fault. Never blocks. Belongs to the thread that made it.
package final class MessageSocket {
    package enum Role: Sendable {
        /// A ROUTER: many peers, each message names its own.
        case server
        /// A DEALER: one peer, which knows this socket by the name.
        case client(PeerIdentity)
    }

    package enum ReceiveResult { case message, refused, empty }

    package let counters: BusCounters
    package let instance: ServiceInstance
    private let isServer: Bool
    private let socket: Socket
    private let monitor: SocketMonitor
    /// A server's: whose connection each descriptor is.
    private var connections = PeerConnections()
    /// A client's: where it connects, attempts in a row that ended early, and when it tries again after a refusal.
    private var endpoint: Endpoint?
    private var earlyEnds = 0
    private var reconnectTimer: LoopTimer?
    private let refusals: RefusalLog
    private let trace = MessageTrace.shared
    private var registrations: [EventLoop.Registration] = []
    private weak var loop: EventLoop?
    /// There may be messages of which ZeroMQ's descriptor does not tell: it has told, or a call since the last drain
    /// has taken its news. Asking without cause costs system calls in every iteration.
    private var needsDrain = true
    private var hasSentSinceDrain = false
    private var wasFullSinceDrain = false
    /// Told of each message that was not accepted; a client learns so that its server speaks another version.
    package var onRefusal: ((MessageError) -> Void)?
    /// A server's: this peer's connection has ended, and what it sent before was received. May be wrong in rare moments
    /// (see `PeerConnections`): the listener has to bear hearing it of a peer that is there.
    package var onPeerGone: ((PeerIdentity) -> Void)?

    package init(
        _ role: Role, context: BusContext, instance: ServiceInstance, logger: Logger,
        counters: BusCounters = BusCounters(), options: Socket.Options = Socket.Options()
    ) throws(BusError) {
        self.instance = instance
        self.counters = counters
        refusals = RefusalLog(logger: logger)
        switch role {
        case .server:
            isServer = true
            socket = try Socket(.router, context: context, options: options)
        case .client(let identity):
            isServer = false
            socket = try Socket(.dealer(identity), context: context, options: options)
        }
        monitor = try SocketMonitor(of: socket, context: context)
    }

    package func bind(_ endpoint: Endpoint) throws(BusError) { try socket.bind(endpoint) }
    package func connect(_ endpoint: Endpoint) throws(BusError) {
        self.endpoint = endpoint
        try socket.connect(endpoint)
    }

    private static let refusedInterval = Duration.seconds(1)

    /// Is this about keys? Without them, and once or twice also with them, a connection that ends so early belonged to
    /// a process that was ending.
    private func isRefusal(_ news: SocketMonitor.News) -> Bool {
        guard let endpoint, endpoint.isNetwork else { return false }
        earlyEnds += 1
        if news.isFinal {
            // The keys on the other side may be put right without us.
            let timer = reconnectTimer ?? loop?.makeTimer { [weak self] in self?.reconnect() }
            reconnectTimer = timer
            timer?.arm(at: MonotonicClock.now().advanced(by: Self.refusedInterval))
        }
        return news.isFinal || earlyEnds == 3
    }

    private func reconnect() {
        guard let endpoint, !isClosed else { return }
        // What worked once for this socket works again.
        try? socket.reconnect(endpoint)
        needsDrain = true
    }

    // MARK: On a loop

    /// Makes the loop wake for this socket. `work` runs at the end of every iteration, whatever woke the loop, and must
    /// first send what waits and then `drain`: ZeroMQ's descriptor tells only of news since the last drained call.
    package func attach(to loop: EventLoop, work: @escaping () -> Void) throws(SystemError) {
        self.loop = loop
        registrations.append(
            try loop.register(socket.fileDescriptor, .read) { [weak self] _ in self?.needsDrain = true })
        registrations.append(
            try loop.register(monitor.fileDescriptor, .read) { [weak self] _ in self?.hasMonitorNews = true })
        loop.addEndOfIterationHook { [weak self] in
            if let self, !self.registrations.isEmpty { work() }
        }
    }

    /// Connection events first, then messages until none waits and none was sent meanwhile. After
    /// `limit` messages it stops to be fair to the loop's other work, and asks for another iteration.
    package func drain(
        into message: IncomingMessage, limit: Int = 256, onConnection: (ConnectionEvent) -> Void = { _ in },
        handler: (IncomingMessage) -> Void
    ) {
        if hasMonitorNews || loop == nil {
            hasMonitorNews = false
            while !isClosed, let news = monitor.next() { note(news, onConnection) }
        }
        guard needsDrain || loop == nil else { return }
        needsDrain = false
        var count = 0
        repeat {
            hasSentSinceDrain = false
            receiving: while !isClosed {
                guard count < limit else {
                    needsDrain = true
                    loop?.requestIteration()
                    return
                }
                count += 1
                switch receive(into: message) {
                case .message: handler(message)
                case .refused: continue
                case .empty: break receiving
                }
            }
        } while hasSentSinceDrain && !isClosed
        tellOfPeersGone()
        // Receiving has processed what makes room for a send that was refused before it; nothing else would wake the
        // loop for that. A server's room is per peer, so its refused sends need a timer or the peer's repeat.
        if wasFullSinceDrain, !isServer, !isClosed {
            needsDrain = true
            if socket.isWritable { loop?.requestIteration() }
        }
        wasFullSinceDrain = false
    }

    /// A client has one connection, whose events the caller wants in order; a server's are told by peer, later.
    private func note(_ news: SocketMonitor.News, _ onConnection: (ConnectionEvent) -> Void) {
        guard isServer else {
            if news.event == .connected { earlyEnds = 0 }
            if news.event != .refused || isRefusal(news) { onConnection(news.event) }
            return
        }
        guard news.event == .disconnected else { return }
        connections.ended(news.descriptor)
        // The last messages of that connection, and then the listener, are due without other news.
        needsDrain = true
    }

    private func tellOfPeersGone() {
        for peer in connections.takeGone() where !isClosed { onPeerGone?(peer) }
    }

    package private(set) var isClosed = false
    /// The monitor's descriptor became readable; asking it without cause costs a system call per message.
    private var hasMonitorNews = true

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        reconnectTimer?.cancel()
        for registration in registrations { loop?.deregister(registration) }
        registrations = []
        monitor.close()
        socket.close()
    }

    // MARK: Sending

    /// - Parameter peer: whom a server answers; nil on a client.
    package func send(
        _ header: Header, body: RawSpan, payload: [Frame] = [], to peer: PeerIdentity? = nil
    ) -> Socket.SendResult {
        precondition(isServer == (peer != nil), "a server names the peer, a client has one")
        precondition(body.byteCount <= MessageLimits.bodyByteCount)
        precondition(payload.count <= MessageLimits.payloadFrameCount)
        needsDrain = true
        var result = Socket.SendResult.sent
        if let peer { result = socket.send(peer) }
        if result == .sent { result = sendEnvelope(header, body: body) }
        guard result == .sent else {
            counters.countRefused(result == .full ? .sendFull : .sendUnreachable)
            wasFullSinceDrain = wasFullSinceDrain || result == .full
            return result
        }
        // ZeroMQ has taken the first part, so it takes the others, or drops all of them if the peer goes away now.
        _ = unsafe body.withUnsafeBytes { unsafe socket.send($0, more: !payload.isEmpty) }
        var byteCount = Envelope.byteCount + body.byteCount
        for (index, frame) in payload.enumerated() {
            byteCount += frame.byteCount
            _ = socket.send(frame, more: index < payload.count - 1)
        }
        hasSentSinceDrain = true
        counters.countSent(byteCount: byteCount)
        trace?.record(.sent, header, body: body, payload: payload, peer: peer)
        return .sent
    }

    package func send(
        _ header: Header, body: [UInt8], payload: [Frame] = [], to peer: PeerIdentity? = nil
    ) -> Socket.SendResult {
        unsafe send(header, body: body.span.bytes, payload: payload, to: peer)
    }

    /// The answer to a request that was not served.
    @discardableResult
    package func send(_ fault: BusFault, requestID: UInt64, to peer: PeerIdentity) -> Socket.SendResult {
        guard let body = try? MessageCoder.encode(fault) else { return .unreachable }
        return send(Header(.fault, requestID: requestID, isReply: true), body: body, to: peer)
    }

    private func sendEnvelope(_ header: Header, body: RawSpan) -> Socket.SendResult {
        let envelope = Envelope(
            kind: header.kind, isReply: header.isReply, requestID: header.requestID, sender: instance,
            lowestOpenNumber: header.lowestOpenNumber, timeoutMilliseconds: header.timeoutMilliseconds)
        return unsafe withUnsafeTemporaryAllocation(byteCount: Envelope.byteCount, alignment: 8) { bytes in
            var span = unsafe MutableRawSpan(_unsafeBytes: bytes)
            envelope.encode(into: &span, body: body)
            return unsafe socket.send(UnsafeRawBufferPointer(bytes), more: true)
        }
    }

    // MARK: Receiving

    /// One message, without waiting. `drain` calls this; only a caller without a loop needs it.
    package func receive(into message: IncomingMessage) -> ReceiveResult {
        message.payload.removeAll(keepingCapacity: true)
        message.peer = nil
        let first = isServer ? message.identityFrame : message.envelopeFrame
        guard socket.receive(into: first) else { return .empty }
        if isServer {
            guard let peer = unsafe PeerIdentity(first.bytes) else { return refuse(.badIdentity, first) }
            message.peer = peer
            connections.heard(peer, on: first.sourceDescriptor)
            guard first.hasMore, socket.receive(into: message.envelopeFrame) else { return refuse(.truncated, first) }
        }
        do {
            try receiveRest(of: message)
            return .message
        } catch {
            refuse(message, error)
            return .refused
        }
    }

    private func receiveRest(of message: IncomingMessage) throws(MessageError) {
        var last = message.envelopeFrame
        guard last.hasMore, socket.receive(into: message.bodyFrame) else {
            // An envelope alone still tells what version its sender speaks.
            let span = unsafe RawSpan(_unsafeBytes: last.bytes)
            _ = try Envelope(decoding: span, body: RawSpan())
            throw .truncated
        }
        last = message.bodyFrame
        var byteCount = message.envelopeFrame.byteCount + last.byteCount
        while last.hasMore, message.payload.count < MessageLimits.payloadFrameCount {
            let frame = Frame()
            guard socket.receive(into: frame) else { break }
            message.payload.append(frame)
            byteCount += frame.byteCount
            last = frame
        }
        if last.hasMore {
            discardParts()
            throw .tooLarge(byteCount: message.payload.count + 1, limit: MessageLimits.payloadFrameCount)
        }
        guard message.bodyFrame.byteCount <= MessageLimits.bodyByteCount else {
            throw .tooLarge(byteCount: message.bodyFrame.byteCount, limit: MessageLimits.bodyByteCount)
        }
        let head = unsafe RawSpan(_unsafeBytes: message.envelopeFrame.bytes)
        let body = unsafe RawSpan(_unsafeBytes: message.bodyFrame.bytes)
        message.envelope = try Envelope(decoding: head, body: body)
        counters.countReceived(byteCount: byteCount)
        trace?.record(message)
    }

    private func discardParts() {
        let rest = Frame()
        while socket.receive(into: rest), rest.hasMore {}
    }

    private func refuse(_ reason: BusCounters.Refusal, _ frame: Frame) -> ReceiveResult {
        if frame.hasMore { discardParts() }
        counters.countRefused(reason)
        refusals.report(reason, "not a message of this bus", peer: nil)
        return .refused
    }

    /// Counts, logs, and tells the sender if it was a request. Replies are never answered: two services that
    /// misunderstand each other must not keep doing so in a loop.
    private func refuse(_ message: IncomingMessage, _ error: MessageError) {
        let reason = BusCounters.Refusal(error)
        counters.countRefused(reason)
        refusals.report(reason, error.description, peer: message.peer)
        onRefusal?(error)
        let frame = unsafe RawSpan(_unsafeBytes: message.envelopeFrame.bytes)
        guard let peer = message.peer, let address = Envelope.address(in: frame), !address.isReply else { return }
        send(BusFault(refusing: error), requestID: address.requestID, to: peer)
    }

    /// For the caller: the envelope was fine, but what it says cannot be served. Same treatment.
    package func refuse(_ message: IncomingMessage, _ reason: BusCounters.Refusal, _ fault: BusFault) {
        counters.countRefused(reason)
        refusals.report(reason, fault.message, peer: message.peer)
        guard let peer = message.peer, !message.envelope.isReply else { return }
        send(fault, requestID: message.envelope.requestID, to: peer)
    }
}
