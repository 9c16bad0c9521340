// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import Testing

/// The proxy itself: what it leaves alone, what it survives, and how it is controlled.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ProxyTests {
    @Test func leavesRequestsAndAnswersAsTheyAre() async throws {
        let server = try await RecordingServer(objects: ["/b/o": [9, 8, 7]])
        try await withFaultProxy(upstream: server.url) { proxy in
            let reply = await RawClient.exchange(
                proxy.port, "GET /b/o?a=%20b&c", headers: ["x-MiXed: 1", "B: 2", "b: 3"])
            #expect(reply.status == 200)
            let request = try #require(server.requests.first)
            #expect(request.line == "GET /b/o?a=%20b&c")
            #expect(request.headers == ["x-MiXed: 1", "B: 2", "b: 3", "Host: bucket.example", "Connection: close"])
            #expect(reply.head == "HTTP/1.1 200 OK\r\nX-Served: 1\r\nContent-Length: 0")
            #expect(await RawClient.exchange(proxy.port, "GET /b/o").body == [9, 8, 7])
            try await proxy.drain()
            #expect(proxy.counters.forwarded == 2 && proxy.counters.injected.isEmpty)
        }
    }

    @Test func carriesManyRequestsOnOneConnection() async throws {
        let server = try await RecordingServer(objects: ["/b/o": [9, 8, 7]])
        try await withFaultProxy(upstream: server.url) { proxy in
            let port = proxy.port
            let replies = await blocking {
                let client = RawClient(port: port)
                return (0..<20).map { index in
                    client.send("PUT /b/\(index) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
                    return client.read(until: "\r\n\r\n").status
                }
            }
            #expect(replies == Array(repeating: 200, count: 20))
            #expect(server.object("/b/19") == Array("ok".utf8))
        }
    }

    @Test func givesLeaveToSendBodies() async throws {
        let server = try await RecordingServer()
        let plan = FaultPlan([FaultRule(.status(code: 500, retryAfterSeconds: nil))])
        try await withFaultProxy(upstream: server.url, plan: plan) { proxy in
            let port = proxy.port
            let (leave, answer) = await blocking {
                let client = RawClient(port: port)
                client.send("PUT /b/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
                let leave = client.read(until: "\r\n\r\n")
                client.send("x")
                return (leave, client.read(until: "</Error>"))
            }
            #expect(leave.status == 100 && answer.status == 500)
        }
    }

    @Test func survivesClientsThatSendGarbageOrLeave() async throws {
        let server = try await RecordingServer(objects: ["/b/o": [UInt8](repeating: 1, count: 4_000_000)])
        try await withFaultProxy(upstream: server.url) { proxy in
            let port = proxy.port
            let garbage = await blocking {
                let client = RawClient(port: port)
                client.send("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n")
                return client.read()
            }
            #expect(garbage.bytes.isEmpty && garbage.ending != .silence)
            #expect(proxy.counters.malformed == 1)
            await blocking {
                _ = RawClient(port: port)
                RawClient(port: port).send("PUT /b/x HTTP/1.1\r\nContent-Length: 1000\r\n\r\nhalf")
                // Leaves with most of the answer unread.
                let reader = RawClient(port: port)
                reader.send("GET /b/o HTTP/1.1\r\n\r\n")
                _ = reader.read(until: "\r\n\r\n")
            }
            try await eventually { proxy.counters.clientDisconnects >= 1 }
            #expect(server.object("/b/x") == nil)
            #expect(await RawClient.exchange(port, "PUT /b/x", body: [1]).status == 200)
        }
    }

    @Test func aServerThatHangsUpResetsItsClient() async throws {
        let server = try await RecordingServer()
        try await withFaultProxy(upstream: server.url) { proxy in
            let reply = await RawClient.exchange(proxy.port, "GET /hangup")
            #expect(reply.bytes.isEmpty && reply.ending == .reset)
            try await proxy.drain()
            #expect(proxy.counters.upstreamFailures == 1)
        }
        // Nobody listens on port 1.
        try await withFaultProxy(upstream: "http://127.0.0.1:1") { proxy in
            #expect(await RawClient.exchange(proxy.port, "GET /a").ending == .reset)
            try await proxy.drain()
            #expect(proxy.counters.upstreamFailures == 1)
        }
    }

    @Test func anOutageRefusesAndResets() async throws {
        let server = try await RecordingServer()
        try await withFaultProxy(upstream: server.url) { proxy in
            let port = proxy.port
            let open = RawClient(port: port)
            open.send("PUT /b/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            #expect(await blocking { open.read(until: "\r\n\r\n") }.status == 200)
            try await proxy.beginOutage()
            #expect(await blocking { open.read() }.ending == .reset)
            #expect(RawClient(port: port).isRefused)
            try await proxy.endOutage()
            #expect(await RawClient.exchange(port, "GET /b/x").status == 200)
            #expect(proxy.counters[.outage] == 1)
            let window = TimeWindow(from: .zero, to: .milliseconds(200))
            try await proxy.install(FaultPlan([FaultRule(.outage, window: window)]))
            #expect(RawClient(port: port).isRefused)
            try await eventually { !RawClient(port: port).isRefused }
            #expect(proxy.counters[.outage] == 2)
        }
    }

    @Test func stoppingEndsEverythingAndFreesThePort() async throws {
        let server = try await RecordingServer()
        let plan = FaultPlan([FaultRule(.hang(.reply), limit: 1), FaultRule(.duplicate(after: .seconds(600)))])
        let proxy = try await FaultProxy.start(upstream: server.url, plan: plan)
        let port = proxy.port
        let hung = RawClient(port: port)
        hung.send("GET /a HTTP/1.1\r\n\r\n")
        try await eventually { proxy.counters[.hang] == 1 }
        #expect(await RawClient.exchange(port, "PUT /b/x", body: [1]).status == 200)
        // Only what hangs is under way still.
        try await eventually { proxy.counters.open == 1 }
        await proxy.stop()
        #expect(await blocking { hung.read() }.ending != .silence)
        #expect(RawClient(port: port).isRefused)
        #expect(proxy.counters.lateFailed == 1 && proxy.counters.latePending == 0)
    }

    @Test func refusesAnUpstreamThatIsNoAddress() async {
        for text in ["https://127.0.0.1:1", "127.0.0.1", "http://127.0.0.1:1/path", "http://:1", "http://a:0"] {
            await #expect(throws: FaultProxyError.upstream(text)) { try await FaultProxy.start(upstream: text) }
        }
    }

    @Test func theAdminPortChangesPlansAndTellsCounters() async throws {
        let server = try await RecordingServer()
        try await withFaultProxy(upstream: server.url) { proxy in
            let admin = try await AdminServer(proxy: proxy, port: 0)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { await admin.run() }
                let plan = Array("status code=500\n".utf8)
                #expect(await RawClient.exchange(admin.port, "PUT /plan?seed=3", body: plan).status == 200)
                #expect(await RawClient.exchange(proxy.port, "GET /a").status == 500)
                let wrong = await RawClient.exchange(admin.port, "PUT /plan", body: Array("nonsense".utf8))
                #expect(wrong.status == 400 && String(decoding: wrong.body, as: UTF8.self).hasPrefix("line 1"))
                #expect(await RawClient.exchange(admin.port, "PUT /outage").status == 200)
                #expect(RawClient(port: proxy.port).isRefused)
                #expect(await RawClient.exchange(admin.port, "DELETE /outage").status == 200)
                let counters = await RawClient.exchange(admin.port, "GET /counters")
                let expected = """
                    {"requests":1,"forwarded":0,"lateDelivered":0,"lateRefused":0,"latePending":0,"lateFailed":0,\
                    "upstreamFailures":0,"clientDisconnects":0,"malformed":0,\
                    "injected":{"status":1,"outage":1},"notPossible":{}}

                    """
                #expect(String(decoding: counters.body, as: UTF8.self) == expected)
                #expect(await RawClient.exchange(admin.port, "GET /else").status == 404)
                group.cancelAll()
            }
        }
    }
}
