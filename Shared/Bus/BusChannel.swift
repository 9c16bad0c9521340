// SPDX-License-Identifier: Apache-2.0
package import Messages
import Platform

/// Messages in both directions with one server that pushes: an uploader and its cache manager. Nothing is sent twice by
/// itself; what a lost message means is for the two to know (the uploader announces itself again on `.connected`).
/// Survives the server's restarts until it is closed.
package final class BusChannel: Sendable {
    package enum Event: Sendable {
        /// Hello was answered: at first and after each loss.
        case connected(HelloRequest.Reply)
        case disconnected
        /// The server speaks another version or does not want us; tried again when it restarts.
        case refused(BusFault)
        case message(Message)
    }

    package struct Message: Sendable {
        package var kind: MessageKind
        package var body: [UInt8]
        package var payload: [Frame]

        package func decode<Value: Decodable>(_ type: Value.Type) throws(MessageError) -> Value {
            try MessageCoder.decode(type, from: body)
        }
    }

    /// Ends when the channel or the bus is closed. For one consumer.
    package let events: AsyncStream<Event>
    package let endpoint: Endpoint
    private let core: BusCore
    private let channel: ChannelCore

    init(core: BusCore, channel: ChannelCore, events: AsyncStream<Event>) {
        self.core = core
        self.channel = channel
        self.events = events
        endpoint = channel.endpoint
    }

    /// Hands one message to ZeroMQ. `notReady` while there is no connection, `busy` while the pipe is full: then
    /// nothing was sent.
    package func send<Body: Encodable & Sendable>(
        _ kind: MessageKind, _ body: Body, payload: [Frame] = []
    ) async throws(BusFault) {
        let bytes: [UInt8]
        do throws(MessageError) {
            bytes = try MessageCoder.encode(body)
        } catch {
            throw BusFault(refusing: error)
        }
        let channel = channel
        let fault: BusFault? = await withCheckedContinuation { continuation in
            let isPosted = core.post { core in
                continuation.resume(
                    returning: core.isShutDown ? BusCore.shutDownFault : channel.send(kind, bytes, payload))
            }
            if !isPosted { continuation.resume(returning: BusCore.shutDownFault) }
        }
        if let fault { throw fault }
    }

    package func close() {
        let channel = channel
        // Refused only when the bus is shut down, which closed the channel.
        _ = core.post { $0.closeChannel(channel) }
    }
}

/// Where a channel's events go.
struct ChannelSink: Sendable {
    let continuation: AsyncStream<BusChannel.Event>.Continuation
}

/// The loop's half of a channel. Confined to the bus thread's loop; `BusChannel` only carries it there, which is the
/// proof for `@unchecked Sendable`.
final class ChannelCore: ClientConnectionOwner, @unchecked Sendable {
    let endpoint: Endpoint
    private let core: BusCore
    private let sink: ChannelSink
    private var connection: ClientConnection?

    init(core: BusCore, endpoint: Endpoint, sink: ChannelSink) throws(BusError) {
        self.core = core
        self.endpoint = endpoint
        self.sink = sink
        let connection = try ClientConnection(core: core, endpoint: endpoint, owner: self)
        self.connection = connection
        try connection.open()
    }

    var isEstablished: Bool { connection?.isEstablished ?? false }

    /// nil = sent.
    func send(_ kind: MessageKind, _ body: [UInt8], _ payload: [Frame]) -> BusFault? {
        guard let connection, connection.isEstablished else {
            return BusFault(.notReady, "\(endpoint) is not connected: check that the service runs")
        }
        let result = connection.socket.send(
            .init(kind, requestID: core.drawNumber()), body: body, payload: payload)
        return result == .sent ? nil : BusFault(.busy, "\(endpoint) takes no more messages now")
    }

    func close() {
        connection?.close()
        connection = nil
        sink.continuation.finish()
    }

    // MARK: ClientConnectionOwner

    var nextSendDeadline: MonotonicInstant? { nil }
    func connectionMaySend(now: MonotonicInstant) {}

    func connectionEstablished(_ reply: HelloRequest.Reply, now: MonotonicInstant) { yield(.connected(reply)) }
    func connectionLost(now: MonotonicInstant) { yield(.disconnected) }
    func connectionKeysRefused() {}
    func connectionRefused(_ fault: BusFault, now: MonotonicInstant) { yield(.refused(fault)) }

    func connectionReceived(_ message: IncomingMessage, now: MonotonicInstant) {
        // A fault says that a message was not taken; its sender repairs that by its own deadline.
        guard message.envelope.kind != .fault else { return }
        yield(.message(.init(kind: message.envelope.kind, body: message.bodyArray, payload: message.payload)))
    }

    private func yield(_ event: BusChannel.Event) {
        // Full only if the consumer stands still: the peer sends no more than was asked for.
        if case .dropped = sink.continuation.yield(event) { core.counters.countRefused(.unexpected) }
    }
}
