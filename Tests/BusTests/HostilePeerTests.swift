// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import Platform
import TestSupport
import Testing
import Wire

/// Whatever a peer sends: refused, counted, answered where it was a request, and nobody else notices.
@Suite struct HostilePeerTests {
    private let harness: BusHarness
    init() throws { harness = try BusHarness() }

    /// A server under attack, which must answer an honest client before and after.
    private func attacked(_ attack: @escaping @Sendable (Endpoint, BusThread) async throws -> Void) async throws {
        let (server, client) = (try harness.bus(.cache), try harness.bus(.cli))
        let endpoint = try harness.endpoint()
        server.handle(VolumeListRequest.self) { _, _ in .init(volumes: []) }
        try await harness.serving(server, at: endpoint) {
            _ = try await client.request(VolumeListRequest(), to: endpoint, deadline: .seconds(5))
            try await attack(endpoint, server)
            _ = try await client.request(VolumeListRequest(), to: endpoint, deadline: .seconds(5))
        }
        await client.close()
    }

    @Test func garbageIsCountedAndNotAnswered() async throws {
        try await attacked { endpoint, server in
            var random = SeededRandom(seed: 1)
            let garbage = (0..<50).map { _ in
                (0...random.below(4)).map { _ in random.bytes(random.below(200)) }
            }
            let replies = try await RawPeer.exchange(endpoint, garbage + [RawPeer.hello()], replies: 1)
            #expect(replies.count == 1)
            #expect(replies.first?.count == 2)
            let refused = server.counters.refused(.wrongMagic) + server.counters.refused(.truncated)
            #expect(refused == 50)
        }
    }

    @Test func aMessageBeforeHelloIsRefused() async throws {
        try await attacked { endpoint, server in
            let request = RawPeer.message(.volumeList, [0, 0, 0, 0], requestID: 9)
            let replies = try await RawPeer.exchange(endpoint, [request], replies: 1)
            let (head, body) = (replies[0][0], replies[0][1])
            let envelope = unsafe try Envelope(decoding: head.span.bytes, body: body.span.bytes)
            #expect(envelope.kind == .fault && envelope.isReply && envelope.requestID == 9)
            #expect(try RawPeer.fault(replies[0]).code == .helloRequired)
            #expect(server.counters.refused(.helloRequired) == 1)
        }
    }

    @Test func aPeerThatClaimsAnotherInstanceIsRefused() async throws {
        try await attacked { endpoint, _ in
            let stolen = RawPeer.message(
                .volumeList, [0, 0, 0, 0], requestID: 2, sender: ServiceInstance(rawValue: 78))
            let replies = try await RawPeer.exchange(endpoint, [RawPeer.hello(), stolen], replies: 2)
            #expect(try RawPeer.fault(replies[1]).code == .helloRequired)
            let hello = HelloRequest(service: .cli, instance: ServiceInstance(rawValue: 5), softwareVersion: "")
            let lie = RawPeer.message(.hello, try MessageCoder.encode(hello))
            let answer = try await RawPeer.exchange(endpoint, [lie], replies: 1)
            #expect(try RawPeer.fault(answer[0]).code == .malformed)
        }
    }

    @Test func anotherMajorVersionIsToldSo() async throws {
        try await attacked { endpoint, server in
            var hello = try RawPeer.hello()
            hello[0][4] = 2
            let fault = try RawPeer.fault(try await RawPeer.exchange(endpoint, [hello], replies: 1)[0])
            #expect(fault.code == .unsupportedVersion)
            #expect(fault.message.contains("2.\(SchemaVersion.current.minor)"), "\(fault.message)")
            #expect(fault.message.contains("\(SchemaVersion.current)"))
            #expect(server.counters.refused(.unsupportedVersion) == 1)
        }
    }

    @Test func truncatedFramesAreRefused() async throws {
        try await attacked { endpoint, server in
            let hello = try RawPeer.hello()
            let cut = (0..<Envelope.byteCount).map { [Array(hello[0][..<$0]), hello[1]] }
            let alone = [[hello[0]], [hello[0], Array(hello[1].dropLast())]]
            let replies = try await RawPeer.exchange(endpoint, cut + alone + [hello], replies: 27)
            // Those whose request id can still be read are answered, and the honest hello is.
            #expect(replies.count == 27)
            #expect(try replies.dropLast().allSatisfy { try RawPeer.fault($0).code == .malformed })
            let refused = server.counters.refused(.truncated) + server.counters.refused(.lengthMismatch)
            #expect(refused == 50)
        }
    }

    @Test func repliesAreNeverAnswered() async throws {
        try await attacked { endpoint, server in
            let body = try MessageCoder.encode(BusFault(.malformed, "you"))
            let envelope = Envelope(
                kind: .fault, isReply: true, requestID: 3, sender: ServiceInstance(rawValue: 77))
            var broken = envelope.encoded(body: body)
            broken[40] ^= 1
            let hello = try RawPeer.hello()
            let replies = try await RawPeer.exchange(
                endpoint, [hello, [envelope.encoded(body: body), body], [broken, body], hello], replies: 2)
            let greetings = try replies.map { try MessageCoder.decode(HelloRequest.Reply.self, from: $0[1]) }
            #expect(greetings.map(\.service) == [.cache, .cache])
            #expect(server.counters.refused(.unexpected) == 1 && server.counters.refused(.checksumMismatch) == 1)
        }
    }

    @Test func unknownKindsAndBadBodiesAreAnswered() async throws {
        try await attacked { endpoint, _ in
            var unknown = RawPeer.message(.volumeList, [], requestID: 4)
            unknown[0][8] = 0xf0
            let checksum = CRC32C.checksum(Array(unknown[0][..<44]))
            for index in 0..<4 { unknown[0][44 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
            let bad = RawPeer.message(.volumeCreate, [1, 2, 3], requestID: 5)
            let replies = try await RawPeer.exchange(endpoint, [RawPeer.hello(), unknown, bad], replies: 3)
            #expect(try RawPeer.fault(replies[1]).code == .unsupportedKind)
            let codes = try replies.dropFirst().map { try RawPeer.fault($0).code }
            #expect(
                Set(codes) == [.unsupportedKind, .unsupportedKind] || Set(codes) == [.unsupportedKind, .malformed])
        }
    }

    @Test func tooManyAndTooLargeFramesAreRefused() async throws {
        try await attacked { endpoint, server in
            let hello = try RawPeer.hello()
            let many = hello + [[UInt8]](repeating: [1], count: MessageLimits.payloadFrameCount + 1)
            let large = [hello[0], [UInt8](repeating: 0, count: MessageLimits.bodyByteCount + 1)]
            let replies = try await RawPeer.exchange(endpoint, [many, large, hello], replies: 3)
            #expect(try replies.dropLast().map { try RawPeer.fault($0).code } == [.tooLarge, .tooLarge])
            #expect(server.counters.refused(.tooLarge) == 2)
        }
    }

    /// ZeroMQ itself cuts the connection; the peer may connect again.
    @Test func aFrameBeyondTheLimitCutsTheConnection() async throws {
        try await attacked { endpoint, server in
            let before = server.counters.messagesReceived
            let huge = try [RawPeer.hello()[0], [UInt8](repeating: 0, count: MessageLimits.frameByteCount + 1)]
            _ = try await RawPeer.exchange(endpoint, [huge], replies: 0)
            #expect(server.counters.messagesReceived == before)
        }
    }

    /// Not even ZeroMQ: bytes into the Unix socket.
    @Test func bytesThatAreNoZeroMQAreHarmless() async throws {
        try await attacked { endpoint, _ in
            var random = SeededRandom(seed: 2)
            for _ in 0..<10 {
                let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
                defer { close(descriptor) }
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                unsafe withUnsafeMutableBytes(of: &address.sun_path) {
                    unsafe $0.copyBytes(from: (endpoint.path ?? "").utf8)
                }
                let result = unsafe withUnsafePointer(to: &address) { pointer in
                    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
                #expect(result == 0)
                let bytes = random.bytes(500)
                _ = unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
    }
}
