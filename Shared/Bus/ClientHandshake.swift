// SPDX-License-Identifier: Apache-2.0
package import Messages
package import Platform

/// The client's half of hello, for any DEALER: says it on each new connection, again when the server forgot, and again
/// when no answer comes. Confined to the socket's thread.
package final class ClientHandshake {
    package enum State: Sendable {
        case disconnected
        /// Connected; hello was sent or has to be.
        case greeting
        case established(HelloRequest.Reply)
        /// The server speaks another version or refused for good; tried again on the next connection.
        case refused(BusFault)
    }

    package enum Outcome {
        /// The message belonged to the handshake and changed nothing.
        case nothing
        case established(HelloRequest.Reply)
        /// The server does not know us (any more): hello was sent again, what it refused has to be too.
        case forgotten
        case refused(BusFault)
        /// Not the handshake's: for the caller.
        case other
    }

    private static let retryInterval: Duration = .milliseconds(500)
    private let identity: BusIdentity
    private let drawRequestID: () -> UInt64
    package private(set) var state = State.disconnected
    private var helloID: UInt64?
    private var nextHello: MonotonicInstant?

    /// - Parameter drawRequestID: numbers that this instance has not used before.
    package init(identity: BusIdentity, drawRequestID: @escaping () -> UInt64) {
        self.identity = identity
        self.drawRequestID = drawRequestID
    }

    package var isEstablished: Bool { if case .established = state { true } else { false } }

    /// When `advance` has something to do next; nil if it waits for events only.
    package var nextDeadline: MonotonicInstant? { nextHello }

    package func connectionChanged(_ event: ConnectionEvent, now: MonotonicInstant) {
        switch event {
        case .refused: break
        case .connected:
            helloID = nil
            greet(now)
        case .disconnected:
            helloID = nil
            state = .disconnected
            nextHello = nil
        }
    }

    /// Sends hello if it is due. Call at the end of each iteration, before other sends.
    package func advance(on socket: MessageSocket, now: MonotonicInstant) {
        guard let due = nextHello, due <= now else { return }
        let requestID = helloID ?? drawRequestID()
        helloID = requestID
        nextHello = now.advanced(by: Self.retryInterval)
        guard let body = try? MessageCoder.encode(identity.hello) else { return }
        let result = socket.send(.init(.hello, requestID: requestID), body: body)
        // The connection is just coming up, or just gone: its event follows.
        if result != .sent { nextHello = now.advanced(by: .milliseconds(10)) }
    }

    /// Looks at each message first.
    package func handle(_ message: IncomingMessage, now: MonotonicInstant) -> Outcome {
        let envelope = message.envelope
        if envelope.kind == .hello {
            guard envelope.isReply, envelope.requestID == helloID else { return .nothing }
            guard let reply = try? message.decodeBody(HelloRequest.Reply.self) else { return .nothing }
            helloID = nil
            nextHello = nil
            state = .established(reply)
            return .established(reply)
        }
        guard envelope.kind == .fault, let fault = try? message.decodeBody(BusFault.self) else { return .other }
        if fault.code == .helloRequired {
            // Several requests may have been refused on one occasion: one hello answers all.
            if isEstablished { greet(now) }
            return .forgotten
        }
        if fault.code == .unsupportedVersion || envelope.requestID == helloID {
            refuse(fault)
            return .refused(fault)
        }
        return .other
    }

    /// The server's messages cannot be read: it speaks another version.
    package func refuse(_ fault: BusFault) {
        state = .refused(fault)
        helloID = nil
        nextHello = nil
    }

    private func greet(_ now: MonotonicInstant) {
        state = .greeting
        nextHello = now
    }
}
