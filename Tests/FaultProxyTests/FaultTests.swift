// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import Testing

/// Each fault, seen from both sides of the proxy.
@Suite(.serialized, .timeLimit(.minutes(1))) struct FaultTests {
    private static let object = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

    /// Compared here, so that a failing test does not print a hundred thousand numbers.
    private func isSame(_ bytes: [UInt8], _ expected: ArraySlice<UInt8>) -> Bool { bytes[...] == expected }

    private func with(
        _ rules: [FaultRule], seed: UInt64 = 1, _ body: (FaultProxy, RecordingServer) async throws -> Void
    ) async throws {
        let server = try await RecordingServer(objects: ["/b/o": Self.object, "/chunked": Self.object])
        try await withFaultProxy(upstream: server.url, plan: FaultPlan(rules), seed: seed) { proxy in
            try await body(proxy, server)
        }
    }

    @Test func latencyDelaysAndHarmsNothing() async throws {
        try await with([FaultRule(.latency(fixed: .milliseconds(200), jitter: .milliseconds(50)))]) { proxy, _ in
            let reply = await RawClient.exchange(proxy.port, "GET /b/o")
            #expect(isSame(reply.body, Self.object[...]))
            #expect(reply.elapsed >= .milliseconds(200))
            try await proxy.drain()
            #expect(proxy.counters[.latency] == 1)
        }
    }

    @Test func aStatusIsAnsweredWithoutTheServer() async throws {
        let rule = FaultRule(.status(code: 503, retryAfterSeconds: 7), skip: 1, burst: 2, limit: 2)
        try await with([rule]) { proxy, server in
            var statuses: [Int?] = []
            for _ in 0..<4 {
                let reply = await RawClient.exchange(proxy.port, "PUT /b/x", body: Self.object)
                statuses.append(reply.status)
                if reply.status == 503 {
                    #expect(reply.head.contains("Retry-After: 7"))
                    #expect(String(decoding: reply.body, as: UTF8.self).contains("<Code>SlowDown</Code>"))
                }
            }
            #expect(statuses == [200, 503, 503, 200])
            #expect(server.requests.count == 2)
            try await proxy.drain()
            #expect(proxy.counters[.status] == 2)
        }
    }

    @Test func aHangInTheUploadStopsReading() async throws {
        try await with([FaultRule(.hang(.upload))]) { proxy, server in
            let reply = await RawClient.exchange(
                proxy.port, "PUT /b/x", body: Self.object, patience: .milliseconds(300))
            #expect(reply.bytes.isEmpty && reply.ending == .silence)
            #expect(server.requests.isEmpty)
            #expect(proxy.counters[.hang] == 1)
        }
    }

    @Test(arguments: [(Fault.HangStage.reply, 0), (.applied, 1)])
    func aHangNeverAnswers(_ stage: Fault.HangStage, _ served: Int) async throws {
        try await with([FaultRule(.hang(stage))]) { proxy, server in
            let reply = await RawClient.exchange(
                proxy.port, "PUT /b/x", body: Self.object, patience: .milliseconds(300))
            #expect(reply.bytes.isEmpty && reply.ending == .silence)
            #expect(server.requests.count == served)
            #expect(proxy.counters[.hang] == 1)
        }
    }

    @Test func aHangInTheBodyStopsInItsMiddle() async throws {
        try await with([FaultRule(.hang(.body))]) { proxy, _ in
            let reply = await RawClient.exchange(proxy.port, "GET /b/o", patience: .milliseconds(300))
            #expect(reply.head.contains("Content-Length: 100000"))
            #expect(isSame(reply.body, Self.object[..<50_000]))
            #expect(reply.ending == .silence)
        }
    }

    @Test func aResetBeforeReachesNobody() async throws {
        try await with([FaultRule(.reset(.before))]) { proxy, server in
            let reply = await RawClient.exchange(proxy.port, "PUT /b/x", body: [1])
            #expect(reply.bytes.isEmpty && reply.ending == .reset)
            #expect(server.requests.isEmpty)
        }
    }

    @Test func aResetAfterLeavesTheRequestToTheServer() async throws {
        try await with([FaultRule(.reset(.after), methods: ["PUT"])]) { proxy, server in
            let reply = await RawClient.exchange(proxy.port, "PUT /b/x", body: Self.object)
            #expect(reply.bytes.isEmpty && reply.ending == .reset)
            try await eventually { server.object("/b/x") == Self.object }
            try await proxy.drain()
            #expect(proxy.counters[.reset] == 1)
        }
    }

    @Test func aResetInTheBodyIsAReset() async throws {
        try await with([FaultRule(.reset(.body))]) { proxy, _ in
            let reply = await RawClient.exchange(proxy.port, "GET /b/o")
            #expect(reply.ending == .reset)
            #expect(reply.body.count < Self.object.count)
        }
    }

    @Test(arguments: [(10, 10), (0, 0), (Int.max, 99_999)])
    func aTruncatedBodyEndsEarly(_ keep: Int, _ kept: Int) async throws {
        try await with([FaultRule(.truncate(keep: keep))]) { proxy, _ in
            let reply = await RawClient.exchange(proxy.port, "GET /b/o")
            #expect(reply.head.contains("Content-Length: 100000"))
            #expect(isSame(reply.body, Self.object[..<kept]))
            #expect(reply.ending == .closed)
            try await proxy.drain()
            #expect(proxy.counters[.truncate] == 1)
        }
    }

    @Test func aTruncatedBodyOfUnknownLengthLacksItsEnd() async throws {
        try await with([FaultRule(.truncate(keep: .max))]) { proxy, _ in
            let reply = await RawClient.exchange(proxy.port, "GET /chunked")
            #expect(reply.body.count > Self.object.count)
            let hasEnd = reply.body.suffix(5).elementsEqual("0\r\n\r\n".utf8)
            #expect(!hasEnd)
        }
    }

    @Test func whatHasNoBodyCannotBeHarmed() async throws {
        try await with([FaultRule(.truncate(keep: 1)), FaultRule(.flipBits(count: 1))]) { proxy, _ in
            #expect(await RawClient.exchange(proxy.port, "GET /empty").status == 204)
            let head = await RawClient.exchange(proxy.port, "HEAD /b/o")
            #expect(head.head.contains("Content-Length: 100000") && head.body.isEmpty)
            try await proxy.drain()
            #expect(proxy.counters.notPossible == [.truncate: 2, .flipBits: 2])
            #expect(proxy.counters.injected.isEmpty)
        }
    }

    @Test func aLostReplyWasApplied() async throws {
        try await with([FaultRule(.lostReply)]) { proxy, server in
            let reply = await RawClient.exchange(proxy.port, "PUT /b/x", body: [1, 2, 3])
            #expect(reply.bytes.isEmpty && reply.ending == .reset)
            #expect(server.object("/b/x") == [1, 2, 3])
            try await proxy.drain()
            #expect(proxy.counters[.lostReply] == 1)
            #expect(await RawClient.exchange(proxy.port, "PUT /refused", body: [1]).status == 412)
            try await proxy.drain()
            #expect(proxy.counters.notPossible == [.lostReply: 1])
        }
    }

    @Test func aDuplicateOverwritesWhatIsNewer() async throws {
        try await with([FaultRule(.duplicate(after: .seconds(2)), limit: 1)]) { proxy, server in
            let first = await RawClient.exchange(proxy.port, "PUT /b/x", headers: ["X-Case: Kept"], body: [1])
            #expect(first.status == 200)
            #expect(await RawClient.exchange(proxy.port, "PUT /b/x", body: [2]).status == 200)
            #expect(server.object("/b/x") == [2])
            try await proxy.drain()
            #expect(server.object("/b/x") == [1])
            #expect(server.requests.count == 3 && server.requests[0] == server.requests[2])
            let counters = proxy.counters
            #expect(counters[.duplicate] == 1 && counters.lateDelivered == 1 && counters.forwarded == 2)
        }
    }

    @Test func aLateDeliveryComesAfterTheReset() async throws {
        try await with([FaultRule(.lateDelivery(after: .milliseconds(200)), limit: 1)]) { proxy, server in
            let reply = await RawClient.exchange(proxy.port, "PUT /b/x", body: Self.object)
            #expect(reply.bytes.isEmpty && reply.ending == .reset)
            #expect(server.requests.isEmpty && proxy.counters.latePending == 1)
            #expect(await RawClient.exchange(proxy.port, "PUT /b/x", body: [2]).status == 200)
            try await proxy.drain()
            #expect(isSame(server.object("/b/x") ?? [], Self.object[...]))
            #expect(proxy.counters[.lateDelivery] == 1 && proxy.counters.lateDelivered == 1)
        }
    }

    @Test func preconditionsAreStrippedUnlessSigned() async throws {
        try await with([FaultRule(.stripPreconditions)]) { proxy, server in
            let scope = "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/s3/aws4_request, SignedHeaders="
            let match = "If-None-Match: *"
            _ = await RawClient.exchange(proxy.port, "PUT /b/1", headers: [match], body: [1])
            _ = await RawClient.exchange(
                proxy.port, "PUT /b/2", headers: [match, "Authorization: \(scope)host, Signature=0"], body: [1])
            _ = await RawClient.exchange(
                proxy.port, "PUT /b/3", headers: [match, "Authorization: \(scope)host;if-none-match, Signature=0"],
                body: [1])
            _ = await RawClient.exchange(
                proxy.port, "PUT /b/4?X-Amz-SignedHeaders=host%3Bif-none-match&a=b", headers: [match], body: [1])
            _ = await RawClient.exchange(proxy.port, "PUT /b/5", body: [1])
            #expect(server.requests.map { $0.headers.contains(match) } == [false, false, true, true, false])
            try await proxy.drain()
            #expect(proxy.counters[.stripPreconditions] == 2)
            #expect(proxy.counters.notPossible == [.stripPreconditions: 2])
        }
    }

    @Test(arguments: ["/b/o", "/chunked"])
    func flippedBitsAreExactlyThoseOfTheSeed(_ path: String) async throws {
        var bodies: [[UInt8]] = []
        for seed in [5, 5, 6] as [UInt64] {
            try await with([FaultRule(.flipBits(count: 3))], seed: seed) { proxy, _ in
                bodies.append(await RawClient.exchange(proxy.port, "GET \(path)").body)
                try await proxy.drain()
                #expect(proxy.counters[.flipBits] == 1)
            }
        }
        guard path == "/b/o" else { return }
        #expect(isSame(bodies[0], bodies[1][...]) && !isSame(bodies[0], bodies[2][...]))
        for body in bodies {
            let flipped = zip(body, Self.object).map { ($0 ^ $1).nonzeroBitCount }.reduce(0, +)
            #expect(flipped == 3 && body.count == Self.object.count)
        }
    }

    @Test(arguments: [Fault.BodyDirection.request, .response])
    func slowBodiesTakeTheirTime(_ direction: Fault.BodyDirection) async throws {
        try await with([FaultRule(.slowBody(bytesPerSecond: 250_000, direction))]) { proxy, server in
            let line = direction == .request ? "PUT /b/x" : "GET /b/o"
            let reply = await RawClient.exchange(
                proxy.port, line, body: direction == .request ? Self.object : [])
            #expect(reply.status == 200)
            #expect(reply.elapsed >= .milliseconds(380))
            #expect(isSame(server.object("/b/x") ?? reply.body, Self.object[...]))
            try await proxy.drain()
            #expect(proxy.counters[.slowBody] == 1)
        }
    }
}

/// What happens without the test's doing is waited for, with a deadline.
func eventually(_ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    for _ in 0..<1000 where !condition() { try await Task.sleep(for: .milliseconds(5)) }
    #expect(condition(), sourceLocation: sourceLocation)
}
