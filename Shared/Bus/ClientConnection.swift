// SPDX-License-Identifier: Apache-2.0
import Logging
import Messages
import Platform

/// What a connection's owner does with it. All calls come on the loop.
protocol ClientConnectionOwner: AnyObject {
    /// Hello was answered, on the first connection and on every later one.
    func connectionEstablished(_ reply: HelloRequest.Reply, now: MonotonicInstant)
    /// Gone, or forgotten by the server; `connectionEstablished` follows when it is back.
    func connectionLost(now: MonotonicInstant)
    /// The peer cannot be spoken to as it is.
    func connectionRefused(_ fault: BusFault, now: MonotonicInstant)
    /// The other side does not know our key, or has another than we expect. ZeroMQ keeps trying.
    func connectionKeysRefused()
    func connectionReceived(_ message: IncomingMessage, now: MonotonicInstant)
    /// Sends what is due. Called in every iteration, before receiving.
    func connectionMaySend(now: MonotonicInstant)
    /// When `connectionMaySend` has something to do next.
    var nextSendDeadline: MonotonicInstant? { get }
}

/// One DEALER socket to one endpoint, with its handshake. Confined to the bus thread's loop.
final class ClientConnection {
    let endpoint: Endpoint
    private(set) var socket: MessageSocket
    private let handshake: ClientHandshake
    private let loop: EventLoop
    private let logger: Logger
    private let incoming = IncomingMessage()
    /// Said once, not with each of ZeroMQ's attempts.
    private var hasReportedKeys = false
    private unowned let owner: any ClientConnectionOwner
    private lazy var timer = loop.makeTimer {}

    init(core: BusCore, endpoint: Endpoint, owner: any ClientConnectionOwner) throws(BusError) {
        self.endpoint = endpoint
        self.owner = owner
        loop = core.loop
        logger = core.logger
        socket = try MessageSocket(
            .client(core.drawPeerIdentity()), context: core.context, instance: core.identity.instance, logger: logger,
            counters: core.counters, options: core.socketOptions)
        handshake = ClientHandshake(identity: core.identity, drawRequestID: { [unowned core] in core.drawNumber() })
    }

    /// After the owner is complete: events may come from now on.
    func open() throws(BusError) {
        socket.onRefusal = { [unowned self] error in self.refused(error) }
        do throws(SystemError) {
            try socket.attach(to: loop) { [weak self] in self?.work() }
        } catch {
            throw .system(error)
        }
        try socket.connect(endpoint)
    }

    var isEstablished: Bool { handshake.isEstablished }
    var refusal: BusFault? { if case .refused(let fault) = handshake.state { fault } else { nil } }

    func close() {
        timer.cancel()
        socket.close()
    }

    /// First what waits to be sent, then receive until nothing is left (see `MessageSocket.attach`).
    private func work() {
        let now = MonotonicClock.now()
        handshake.advance(on: socket, now: now)
        owner.connectionMaySend(now: now)
        socket.drain(into: incoming, onConnection: { changed($0, now) }, handler: { received($0, now) })
        guard !socket.isClosed else { return }
        armTimer(now)
    }

    private func armTimer(_ now: MonotonicInstant) {
        let deadlines = [handshake.nextDeadline, owner.nextSendDeadline].compactMap { $0 }
        guard let next = deadlines.min() else { return timer.cancel() }
        // The timer has nothing to do but wake the loop: `work` runs in every iteration.
        if next <= now { loop.requestIteration() } else { timer.arm(at: next) }
    }

    private func changed(_ event: ConnectionEvent, _ now: MonotonicInstant) {
        guard event != .refused else { return keysRefused() }
        let wasEstablished = handshake.isEstablished
        handshake.connectionChanged(event, now: now)
        guard wasEstablished else { return }
        if event == .disconnected {
            logger.info("bus connection lost", metadata: ["endpoint": "\(endpoint)"])
        }
        owner.connectionLost(now: now)
    }

    private func keysRefused() {
        owner.connectionKeysRefused()
        guard !hasReportedKeys else { return }
        hasReportedKeys = true
        logger.error("bus connection refused: compare the keys of both sides", metadata: ["endpoint": "\(endpoint)"])
    }

    private func received(_ message: IncomingMessage, _ now: MonotonicInstant) {
        switch handshake.handle(message, now: now) {
        case .nothing: break
        case .established(let reply):
            hasReportedKeys = false
            logger.info(
                "bus connection established",
                metadata: [
                    "endpoint": "\(endpoint)", "service": "\(reply.service)", "instance": "\(reply.instance)",
                    "version": "\(reply.softwareVersion)",
                ])
            owner.connectionEstablished(reply, now: now)
        case .forgotten: owner.connectionLost(now: now)
        case .refused(let fault): reportRefusal(fault, now)
        case .other: owner.connectionReceived(message, now: now)
        }
    }

    private func refused(_ error: MessageError) {
        guard error.disposition == .refusePeer else { return }
        let fault = BusFault(refusing: error)
        handshake.refuse(fault)
        reportRefusal(fault, MonotonicClock.now())
    }

    private func reportRefusal(_ fault: BusFault, _ now: MonotonicInstant) {
        logger.error("bus peer cannot be used", metadata: ["endpoint": "\(endpoint)", "reason": "\(fault)"])
        owner.connectionRefused(fault, now: now)
    }
}
