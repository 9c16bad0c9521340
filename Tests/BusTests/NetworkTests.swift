// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import Platform
import Testing
import Wire

/// The bus over tcp: listed keys get everything, everybody else gets nothing.
@Suite struct NetworkTests {
    private let harness: BusHarness
    private let network: NetworkHarness

    init() throws {
        harness = try BusHarness()
        network = try NetworkHarness()
    }

    /// A cache manager that answers health, while `body` runs.
    private func serving<Result: Sendable>(
        _ body: @Sendable (BusThread) async throws -> Result
    ) async throws -> Result {
        let server = try harness.bus(.cache, keys: network.keys(.cache))
        return try await harness.serving(server, at: network.endpoint()) { try await body(server) }
    }

    /// - Returns: why there was no answer.
    private func refusal(
        _ service: ServiceKind = .cli, keys: BusKeys, deadline: Duration = .seconds(3)
    ) async throws -> BusFault? {
        let client = try harness.bus(service, keys: keys)
        defer { client.shutdown() }
        let endpoint = try network.endpoint()
        return await #expect(throws: BusFault.self) {
            try await client.request(HealthRequest(), to: endpoint, deadline: deadline)
        }
    }

    @Test func aListedKeyIsServed() async throws {
        let client = try harness.bus(.cli, keys: network.keys(.cli))
        try await serving { _ in
            let reply = try await client.request(HealthRequest(), to: network.endpoint(), deadline: .seconds(10))
            #expect(reply.service == .cache && reply.isReady)
            await client.close()
        }
    }

    @Test func oneServerListensOnBothKindsOfSockets() async throws {
        let local = try harness.bus(.cli)
        let remote = try harness.bus(.cli, keys: network.keys(.cli))
        try await serving { server in
            try await server.bind(harness.endpoint())
            let near = try await local.request(HealthRequest(), to: harness.endpoint(), deadline: .seconds(10))
            let far = try await remote.request(HealthRequest(), to: network.endpoint(), deadline: .seconds(10))
            #expect(near.instance == far.instance)
            await local.close()
            await remote.close()
        }
    }

    /// One ROUTER, as a cache manager has: a Unix socket before and after must not weaken the network's.
    @Test func oneSocketKeepsItsKindsOfEndpointsApart() async throws {
        let endpoints = [try harness.endpoint("before"), try network.endpoint(), try harness.endpoint("after")]
        let (keys, logger) = (try network.keys(.cache), harness.logger)
        let identity = BusHarness.identity(.cache)
        let isOver = Shared(false)
        let isBound = Shared(false)
        let thread = try IOThread(name: "router") {
            do {
                let socket = try MessageSocket(
                    .server, context: BusContext(keys: keys), instance: identity.instance, logger: logger)
                for endpoint in endpoints { try socket.bind(endpoint) }
                isBound.update { $0 = true }
                let responder = HelloResponder(identity: identity)
                let message = IncomingMessage()
                while !isOver.value {
                    socket.drain(into: message) { message in
                        guard responder.admit(message, on: socket) != nil, let peer = message.peer else { return }
                        socket.send(BusFault(.nameTaken, "heard"), requestID: message.envelope.requestID, to: peer)
                    }
                    usleep(1000)
                }
                socket.close()
            } catch {
                Issue.record(error)
            }
        }
        while !isBound.value { await Task.yield() }
        let client = try harness.bus(.cli, keys: network.keys(.cli))
        for endpoint in endpoints {
            let fault = await #expect(throws: BusFault.self) {
                try await client.request(VolumeListRequest(), to: endpoint, deadline: .seconds(10))
            }
            #expect(fault?.code == .nameTaken, "\(endpoint): \(fault?.message ?? "")")
        }
        await client.close()
        let stranger = try await refusal(keys: network.keys(.cli, secretKey: .generate()))
        #expect(stranger?.code == .deadlineExceeded)
        isOver.update { $0 = true }
        await thread.finished()
    }

    @Test func aValidKeyThatIsNotListedGetsNothing() async throws {
        try await serving { server in
            let fault = try await refusal(keys: network.keys(.cli, secretKey: .generate()))
            #expect(fault?.code == .deadlineExceeded)
            #expect(fault?.message.contains("compare the keys") == true, "\(fault?.message ?? "")")
            #expect(server.counters.messagesReceived == 0 && server.counters.messagesSent == 0)
        }
    }

    /// Whoever was refused is admitted once the server lists its key: nobody has to restart it.
    @Test(.timeLimit(.minutes(1))) func aRefusedClientIsAdmittedWhenItsKeyIsListed() async throws {
        let secret = try CurveSecretKey.generate()
        let client = try harness.bus(.cli, keys: network.keys(.cli, secretKey: secret))
        let endpoint = try network.endpoint()
        try await serving { _ in
            _ = await #expect(throws: BusFault.self) {
                try await client.request(HealthRequest(), to: endpoint, deadline: .seconds(1))
            }
        }
        while !network.isFree { await Task.yield() }
        let server = try harness.bus(.cache, keys: network.keys(.cache, changes: [.cli: secret.publicKey]))
        try await harness.serving(server, at: endpoint) {
            let reply = try await client.request(HealthRequest(), to: endpoint, deadline: .seconds(20))
            #expect(reply.service == .cache)
        }
        await client.close()
    }

    @Test func aWrongServerKeyGetsNothing() async throws {
        try await serving { server in
            let fault = try await refusal(
                keys: network.keys(.cli, changes: [.cache: try CurveSecretKey.generate().publicKey]))
            #expect(fault?.code == .deadlineExceeded)
            #expect(fault?.message.contains("compare the keys") == true, "\(fault?.message ?? "")")
            #expect(server.counters.messagesReceived == 0 && server.counters.messagesSent == 0)
        }
    }

    @Test func aHelloOfAnotherKindThanTheKeysIsRefused() async throws {
        try await serving { server in
            let fault = try await refusal(.cache, keys: network.keys(.uploader), deadline: .seconds(10))
            #expect(fault?.code == .invalidArgument)
            #expect(fault?.message.contains("the key is that of uploader") == true, "\(fault?.message ?? "")")
            #expect(server.counters.refused(.badIdentity) == 1)
        }
    }

    /// ZMTP's greeting with the mechanism NULL, its READY, and hello: all that a peer on a Unix socket would need.
    @Test func aPeerWithoutKeysGetsNothing() async throws {
        let hello = try RawPeer.hello()
        try await serving { server in
            let port = network.port
            let answer = Shared<[UInt8]?>(nil)
            let thread = try IOThread(name: "no keys") { answer.update { $0 = Self.speakPlainly(port, hello) } }
            await thread.finished()
            let received = try #require(answer.value)
            // The other side's greeting, and nothing after it.
            #expect(received.count <= 64)
            #expect(received.starts(with: [0xff]))
            #expect(server.counters.messagesReceived == 0 && server.counters.messagesSent == 0)
        }
    }

    private static func speakPlainly(_ port: UInt16, _ hello: [[UInt8]]) -> [UInt8]? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let isConnected = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return nil }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        _ = unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let signature: [UInt8] = [0xff] + [UInt8](repeating: 0, count: 8) + [0x7f, 3, 0]
        let mechanism = Array("NULL".utf8) + [UInt8](repeating: 0, count: 16)
        var bytes = signature + mechanism + [UInt8](repeating: 0, count: 32)
        let ready = [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        bytes += [0x04, UInt8(ready.count)] + ready
        for (index, part) in hello.enumerated() {
            bytes += [index < hello.count - 1 ? 1 : 0, UInt8(part.count)] + part
        }
        _ = unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            // The end, or a reset because bytes of ours were not read.
            guard count > 0 else { return received }
            received += buffer[..<count]
        }
    }

    @Test func nobodyListensWithoutKeys() async throws {
        let server = try harness.bus(.cache)
        await #expect(throws: BusError.noKey(try network.endpoint())) { try await server.bind(network.endpoint()) }
        await server.close()
        let other = try harness.bus(.cache, keys: network.keys(.cache))
        await #expect(throws: BusError.noKey(try network.endpoint(.uploader))) {
            try await other.bind(network.endpoint(.uploader))
        }
        await other.close()
    }

    @Test func aPortInUseIsRefused() async throws {
        try await serving { _ in
            let second = try harness.bus(.cache, keys: network.keys(.cache))
            await #expect(throws: BusError.inUse(try network.endpoint())) { try await second.bind(network.endpoint()) }
            await second.close()
        }
    }

    /// A network that loses everything tells nobody; heartbeats do, on both sides.
    @Test(.timeLimit(.minutes(1))) func heartbeatsTellOfASilentPeer() async throws {
        var options = Socket.Options()
        options.heartbeatInterval = .milliseconds(100)
        options.heartbeatTimeout = .milliseconds(400)
        let relay = try FrozenRelay(to: network.port)
        let behind = try Endpoint(address: SocketAddress(host: "127.0.0.1", port: relay.port), of: .cache)
        let server = try harness.bus(.cache, keys: network.keys(.cache), options: options)
        let client = try harness.bus(.uploader, keys: network.keys(.uploader), options: options)
        try await harness.serving(server, at: network.endpoint()) {
            let channel = try await client.open(behind)
            var events = channel.events.makeAsyncIterator()
            guard case .connected = await events.next() else {
                Issue.record("not connected")
                return
            }
            relay.freeze()
            let moment = MonotonicClock.now()
            guard case .disconnected = await events.next() else {
                Issue.record("not told")
                return
            }
            #expect(MonotonicClock.now().duration(since: moment) < .seconds(5))
        }
        await client.close()
        await relay.end()
    }

    /// A cache manager gives an uploader's jobs to another when it hears this.
    @Test(.timeLimit(.minutes(1))) func heartbeatsTellAServerOfASilentPeer() async throws {
        let relay = try FrozenRelay(to: network.port)
        let gone = try goneBehind(relay)
        #expect(gone < .seconds(5))
        await relay.end()
    }

    /// - Returns: how long after the relay was frozen the server was told. All on one thread, which owns the sockets.
    private func goneBehind(_ relay: FrozenRelay) throws -> Duration {
        var options = Socket.Options()
        options.heartbeatInterval = .milliseconds(100)
        options.heartbeatTimeout = .milliseconds(400)
        let loop = try EventLoop()
        let server = try MessageSocket(
            .server, context: BusContext(keys: network.keys(.cache)), instance: ServiceInstance(rawValue: 2),
            logger: harness.logger, options: options)
        defer { server.close() }
        let identity = PeerIdentity(instance: ServiceInstance(rawValue: 3), ordinal: 1)
        let client = try MessageSocket(
            .client(identity), context: BusContext(keys: network.keys(.uploader)),
            instance: ServiceInstance(rawValue: 3), logger: harness.logger, options: options)
        defer { client.close() }
        var received = 0
        var gone: [PeerIdentity] = []
        let message = IncomingMessage()
        server.onPeerGone = { gone.append($0) }
        try server.attach(to: loop) { server.drain(into: message) { _ in received += 1 } }
        try client.attach(to: loop) { client.drain(into: message) { _ in } }
        try server.bind(network.endpoint())
        try client.connect(Endpoint(address: SocketAddress(host: "127.0.0.1", port: relay.port), of: .cache))
        while client.send(.init(.io, requestID: 1), body: []) != .sent {
            try loop.iterate(waitingAtMost: .milliseconds(5))
        }
        while received == 0 { try loop.iterate(waitingAtMost: .milliseconds(50)) }
        #expect(gone.isEmpty)
        relay.freeze()
        let moment = MonotonicClock.now()
        while gone.isEmpty { try loop.iterate(waitingAtMost: .milliseconds(50)) }
        #expect(gone == [identity])
        return MonotonicClock.now().duration(since: moment)
    }

    @Test func keysHaveATextForm() throws {
        let secret = try CurveSecretKey.generate()
        #expect(secret.text.utf8.count == 40 && secret.publicKey.text.utf8.count == 40)
        #expect(CurveSecretKey(text: secret.text)?.publicKey == secret.publicKey)
        #expect(CurvePublicKey(text: secret.publicKey.text) == secret.publicKey)
        #expect(!"\(secret)".contains(secret.text), "a secret is not printed")
        // RFC 26's own pair: the public key of Alice.
        let alice = CurveSecretKey(text: "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6")
        #expect(alice?.publicKey.text == "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
        #expect(alice?.publicKey.fingerprint.wholeMatch(of: /[0-9a-f]{4}(-[0-9a-f]{4}){3}/) != nil)
        for text in ["", "short", String(repeating: "~", count: 40), secret.text + "0"] {
            #expect(CurvePublicKey(text: text) == nil && CurveSecretKey(text: text) == nil)
        }
    }
}
