// SPDX-License-Identifier: Apache-2.0
import Messages
package import Platform

/// The server's half of hello, for any ROUTER: call `admit` for each message first.
package final class HelloResponder {
    private let identity: BusIdentity
    private let details: () -> HelloDetails
    package private(set) var peers: PeerTable

    /// - Parameter details: asked for at each hello.
    package init(
        identity: BusIdentity, peerCapacity: Int = 4096, details: @escaping () -> HelloDetails = { HelloDetails() }
    ) {
        self.identity = identity
        self.details = details
        peers = PeerTable(capacity: peerCapacity)
    }

    /// Answers hello itself, and refuses whoever has not said it.
    /// - Returns: the sender, if the message is left to the caller.
    package func admit(
        _ message: IncomingMessage, on socket: MessageSocket, now: MonotonicInstant = MonotonicClock.now()
    ) -> BusPeer? {
        guard let peer = message.peer else { return nil }
        if message.envelope.kind == .hello {
            answerHello(message, from: peer, on: socket, now: now)
            return nil
        }
        if let known = peers.seen(peer, as: message.envelope.sender, now: now) {
            if message.envelope.isReply || message.envelope.kind.mayCome(from: known.service) { return known }
            socket.refuse(message, .badIdentity, message.strangerFault(known.service))
            return nil
        }
        socket.refuse(
            message, .helloRequired,
            BusFault(.helloRequired, "say hello first: this service has started again or does not know you"))
        return nil
    }

    package func forget(_ peer: PeerIdentity) { peers.remove(peer) }

    private func answerHello(
        _ message: IncomingMessage, from peer: PeerIdentity, on socket: MessageSocket, now: MonotonicInstant
    ) {
        guard !message.envelope.isReply else {
            return socket.refuse(message, .unexpected, BusFault(.malformed, "a reply to a hello that was not sent"))
        }
        let body: [UInt8]
        do throws(MessageError) {
            let hello = try message.decodeBody(HelloRequest.self)
            guard hello.instance == message.envelope.sender else {
                throw .invalidValue("hello: the instance is not the envelope's sender")
            }
            guard message.isAllowed(as: hello.service) else {
                return socket.refuse(message, .badIdentity, message.impostorFault(hello.service))
            }
            let details = details()
            body = try MessageCoder.encode(
                HelloRequest.Reply(
                    service: identity.service, instance: identity.instance, softwareVersion: identity.softwareVersion,
                    gateway: details.gateway, volumes: details.volumes, clockMilliseconds: WallClock.millisecondsNow()))
            peers.enter(
                peer,
                BusPeer(service: hello.service, instance: hello.instance, softwareVersion: hello.softwareVersion),
                now: now)
        } catch {
            return socket.refuse(message, .malformedBody, BusFault(refusing: error))
        }
        // If the peer is gone already, it will say hello again when it comes back.
        _ = socket.send(
            .init(.hello, requestID: message.envelope.requestID, isReply: true), body: body, to: peer)
    }
}
