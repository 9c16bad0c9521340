// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import Platform
import TestSupport
import Testing
import Wire

/// A server and a client socket on one loop, as reactors use them.
@Suite struct MessageSocketTests {
    private final class Pair {
        let loop: EventLoop
        let context: BusContext
        let server: MessageSocket
        let client: MessageSocket
        let serverMessage = IncomingMessage()
        let clientMessage = IncomingMessage()
        var onServer: (IncomingMessage) -> Void = { _ in }
        var onClient: (IncomingMessage) -> Void = { _ in }
        var events: [ConnectionEvent] = []

        init(_ harness: BusHarness, options: Socket.Options = Socket.Options()) throws {
            loop = try EventLoop()
            context = try BusContext()
            let instance = ServiceInstance(rawValue: 3)
            server = try MessageSocket(
                .server, context: context, instance: ServiceInstance(rawValue: 2), logger: harness.logger,
                options: options)
            client = try MessageSocket(
                .client(PeerIdentity(instance: instance, ordinal: 1)), context: context, instance: instance,
                logger: harness.logger, options: options)
            try server.attach(to: loop) { [unowned self] in
                server.drain(into: serverMessage) { self.onServer($0) }
            }
            try client.attach(to: loop) { [unowned self] in
                client.drain(into: clientMessage, onConnection: { events.append($0) }, handler: { self.onClient($0) })
            }
            let endpoint = try harness.endpoint()
            try server.bind(endpoint)
            try client.connect(endpoint)
        }

        func run(until isDone: () -> Bool) throws {
            let end = MonotonicClock.now().advanced(by: .seconds(5))
            while !isDone(), MonotonicClock.now() < end { try loop.iterate(waitingAtMost: .seconds(1)) }
            #expect(isDone())
        }

        deinit {
            client.close()
            server.close()
        }
    }

    private let harness: BusHarness
    init() throws { harness = try BusHarness() }

    @Test func carriesBodiesAndPayloadBothWays() throws {
        let pair = try Pair(harness)
        var random = SeededRandom(seed: 1)
        let blocks = [random.bytes(4096), random.bytes(1 << 20), []]
        pair.onServer = { message in
            guard let peer = message.peer else {
                Issue.record("no peer")
                return
            }
            #expect(message.envelope.sender == ServiceInstance(rawValue: 3))
            #expect(message.envelope.lowestOpenNumber == 8 && message.envelope.timeoutMilliseconds == 100)
            let result = pair.server.send(
                .init(message.envelope.kind, requestID: message.envelope.requestID, isReply: true),
                body: message.bodyArray.reversed(), payload: message.payload.reversed(), to: peer)
            #expect(result == .sent)
        }
        var reply: (body: [UInt8], payload: [[UInt8]])?
        pair.onClient = { message in
            #expect(message.envelope.isReply && message.envelope.requestID == 9 && message.peer == nil)
            reply = (message.bodyArray, message.payload.map(\.array))
        }
        try pair.run { pair.events == [.connected] }
        let header = MessageSocket.Header(.io, requestID: 9, lowestOpenNumber: 8, timeoutMilliseconds: 100)
        #expect(pair.client.send(header, body: [1, 2, 3], payload: blocks.map { Frame($0) }) == .sent)
        try pair.run { reply != nil }
        #expect(reply?.body == [3, 2, 1] && reply?.payload == blocks.reversed())
        #expect(pair.server.counters.messagesReceived == 1 && pair.server.counters.messagesSent == 1)
    }

    @Test func sharedBuffersAreSentWithoutCopyAndThenReleased() throws {
        let pair = try Pair(harness)
        try pair.run { pair.events == [.connected] }
        var received: [[UInt8]] = []
        pair.onServer = { message in received.append(contentsOf: message.payload.map(\.array)) }
        weak var observed: IOBuffer?
        do {
            let buffer = IOBuffer(byteCount: 256 << 10)
            buffer.zero()
            unsafe buffer.bytes[4096] = 42
            observed = buffer
            let frame = Frame(sharing: buffer, range: 4096..<8192)
            #expect(unsafe frame.bytes.baseAddress == UnsafeRawPointer(buffer.bytes.baseAddress?.advanced(by: 4096)))
            // A frame can be sent again: a repeat after a loss needs no copy either.
            for _ in 0..<2 { #expect(pair.client.send(.init(.io, requestID: 1), body: [], payload: [frame]) == .sent) }
        }
        try pair.run { received.count == 2 }
        #expect(received.allSatisfy { $0.count == 4096 && $0[0] == 42 && $0[1...].allSatisfy { $0 == 0 } })
        try pair.run { observed == nil }
    }

    @Test func withoutAPeerSendingIsRefusedAndNothingIsQueued() throws {
        let pair = try Pair(harness)
        let stranger = PeerIdentity(instance: ServiceInstance(rawValue: 9), ordinal: 9)
        #expect(pair.server.send(.init(.io, requestID: 1), body: [], to: stranger) == .unreachable)
        #expect(pair.server.counters.refused(.sendUnreachable) == 1)
        let lonely = try MessageSocket(
            .client(stranger), context: pair.context, instance: ServiceInstance(rawValue: 9), logger: harness.logger)
        try lonely.connect(harness.endpoint("absent"))
        #expect(lonely.send(.init(.io, requestID: 1), body: []) == .full)
        lonely.close()
    }

    /// The peer reads nothing: the pipe fills, the sender is told, and goes on when there is room again.
    @Test func aFullPipeIsBackPressure() throws {
        var options = Socket.Options()
        options.highWaterMark = 4
        let pair = try Pair(harness, options: options)
        try pair.run { pair.events == [.connected] }
        let block = Frame([UInt8](repeating: 1, count: 512 << 10))
        var accepted = 0
        while accepted < 1000, pair.client.send(.init(.io, requestID: 1), body: [], payload: [block]) == .sent {
            accepted += 1
        }
        #expect(accepted > 0 && accepted < 100)
        #expect(pair.client.counters.refused(.sendFull) == 1)
        var received = 0
        pair.onServer = { _ in received += 1 }
        try pair.run { received == accepted }
        #expect(pair.client.send(.init(.io, requestID: 2), body: []) == .sent)
        try pair.run { received == accepted + 1 }
    }

    @Test func oneIterationReceivesNoMoreThanItsLimit() throws {
        let pair = try Pair(harness)
        try pair.run { pair.events == [.connected] }
        var received = 0
        pair.onServer = { _ in received += 1 }
        for number in UInt64(0)..<600 {
            while pair.client.send(.init(.io, requestID: number), body: []) != .sent {
                try pair.loop.iterate(waitingAtMost: .milliseconds(10))
            }
        }
        var largest = 0
        try pair.run {
            let before = received
            try? pair.loop.iterate(waitingAtMost: .zero)
            largest = max(largest, received - before)
            return received == 600
        }
        #expect(largest <= 256)
    }

    @Test func tellsOfALostAndANewConnection() throws {
        let loop = try EventLoop()
        let endpoint = try harness.endpoint()
        let instance = ServiceInstance(rawValue: 3)
        let client = try MessageSocket(
            .client(PeerIdentity(instance: instance, ordinal: 1)), context: BusContext(), instance: instance,
            logger: harness.logger)
        var events: [ConnectionEvent] = []
        let message = IncomingMessage()
        try client.attach(to: loop) { client.drain(into: message, onConnection: { events.append($0) }) { _ in } }
        try client.connect(endpoint)
        for round in 1...3 {
            // A context of its own: it ends with the server, and waits until the socket file is gone.
            let server = try MessageSocket(.server, context: BusContext(), instance: instance, logger: harness.logger)
            try server.bind(endpoint)
            while events.count < 2 * round - 1 { try loop.iterate(waitingAtMost: .seconds(5)) }
            server.close()
            while events.count < 2 * round { try loop.iterate(waitingAtMost: .seconds(5)) }
        }
        #expect(events == [.connected, .disconnected, .connected, .disconnected, .connected, .disconnected])
        client.close()
        try loop.iterate(waitingAtMost: .zero)
    }

    /// At once, after everything that it sent, and not of those that stay.
    @Test func aServerIsToldWhichPeerIsGone() throws {
        let pair = try Pair(harness)
        try pair.run { pair.events == [.connected] }
        #expect(pair.client.send(.init(.io, requestID: 1), body: []) == .sent)
        var received: [UInt64] = []
        pair.onServer = { received.append($0.envelope.requestID) }
        var gone: [PeerIdentity] = []
        var receivedBeforeTheEnd: [UInt64] = []
        pair.server.onPeerGone = {
            gone.append($0)
            receivedBeforeTheEnd = received
        }
        try pair.run { received == [1] }
        let instance = ServiceInstance(rawValue: 9)
        let identity = PeerIdentity(instance: instance, ordinal: 1)
        let other = try MessageSocket(
            .client(identity), context: BusContext(), instance: instance, logger: harness.logger)
        try other.connect(harness.endpoint())
        while other.send(.init(.io, requestID: 2), body: []) != .sent {
            try pair.loop.iterate(waitingAtMost: .milliseconds(5))
        }
        try pair.run { received == [1, 2] }
        #expect(gone.isEmpty)
        let end = MonotonicClock.now()
        other.close()
        try pair.run { !gone.isEmpty }
        #expect(gone == [identity] && receivedBeforeTheEnd == [1, 2])
        #expect(MonotonicClock.now().duration(since: end) < .milliseconds(200))
        #expect(pair.client.send(.init(.io, requestID: 3), body: []) == .sent)
        try pair.run { received == [1, 2, 3] }
        #expect(gone.count == 1)
    }

    /// Closing ends ZeroMQ's report before its reader: otherwise its I/O thread would wait for that reader for ever.
    @Test func aSocketThatIsClosedWithItsConnectionsOpenEndsItsContext() throws {
        for _ in 0..<10 {
            let pair = try Pair(harness)
            try pair.run { pair.events == [.connected] }
        }
    }

    @Test func handshakeGreetsAgainWhenTheServerForgot() throws {
        let pair = try Pair(harness)
        let identity = BusHarness.identity(.iscsi)
        var number: UInt64 = 0
        let client = try MessageSocket(
            .client(PeerIdentity(instance: identity.instance, ordinal: 7)), context: pair.context,
            instance: identity.instance, logger: harness.logger)
        let handshake = ClientHandshake(identity: identity) {
            number += 1
            return number
        }
        let responder = HelloResponder(identity: BusHarness.identity(.cache)) {
            HelloDetails(gateway: GatewayID(rawValue: 4), volumes: [VolumeID(rawValue: 5)])
        }
        var served = 0
        pair.onServer = { message in
            if responder.admit(message, on: pair.server) != nil { served += 1 }
        }
        var replies: [HelloRequest.Reply] = []
        var forgotten = 0
        let incoming = IncomingMessage()
        try client.attach(to: pair.loop) {
            let now = MonotonicClock.now()
            handshake.advance(on: client, now: now)
            client.drain(into: incoming, onConnection: { handshake.connectionChanged($0, now: now) }) { message in
                switch handshake.handle(message, now: now) {
                case .established(let reply): replies.append(reply)
                case .forgotten: forgotten += 1
                default: Issue.record("unexpected")
                }
            }
            if handshake.nextDeadline != nil { pair.loop.requestIteration() }
        }
        try client.connect(harness.endpoint())
        try pair.run { replies.count == 1 }
        #expect(replies[0].gateway == GatewayID(rawValue: 4) && replies[0].volumes == [VolumeID(rawValue: 5)])
        #expect(client.send(.init(.io, requestID: 50), body: []) == .sent)
        try pair.run { served == 1 }
        for peer in responder.peers.identities { responder.forget(peer) }
        for requestID in UInt64(51)...52 { #expect(client.send(.init(.io, requestID: requestID), body: []) == .sent) }
        try pair.run { replies.count == 2 }
        #expect(forgotten == 2 && handshake.isEstablished)
        client.close()
    }
}
