// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// One request and its answer, with the faults that were decided for it.
struct Exchange: Sendable {
    /// How an exchange ended.
    struct End: Sendable {
        /// Whether the client's connection can take another request.
        var keepsConnection = false
        /// The request as the server got it, if it is to get it again.
        var recorded: RecordedRequest?
    }

    /// Whose connection failed. What exactly went wrong with it makes no difference to anybody.
    enum Failure: Error { case client, server }

    let client: ClientPeer
    let link: UpstreamLink
    let script: FaultScript
    let late: LateDelivery
    let head: HTTPRequestHead
    let decision: FaultDecision

    func run() async -> End {
        do {
            if decision.delay > .zero {
                script.countInjected(.latency)
                try await Task.sleep(for: decision.delay)
            }
            return try await perform()
        } catch Failure.server where client.channel.isActive {
            script.count { $0.upstreamFailures += 1 }
            await client.reset()
        } catch is CancellationError {
            await client.reset()
        } catch {
            // Whoever noticed first: the client went away, unless that was our doing.
            if !link.isDetached { script.count { $0.clientDisconnects += 1 } }
        }
        return End()
    }

    private func perform() async throws -> End {
        switch decision.outcome {
        case .status(let code, let retryAfter):
            try await drainRequest()
            script.countInjected(.status)
            return End(keepsConnection: try await answer(code: code, retryAfter: retryAfter))
        case .hang(.upload):
            link.detach()
            script.countInjected(.hang)
            try? await client.waitForCloseUnread()
            return End()
        case .hang(.reply):
            try await drainRequest()
            link.detach()
            script.countInjected(.hang)
            try? await client.waitForClose()
            return End()
        case .reset(.before):
            script.countInjected(.reset)
            await client.reset()
            return End()
        case .lateDelivery(let delay):
            let request = try await recordRequest()
            script.count { counters in
                counters.injected[.lateDelivery, default: 0] += 1
                counters.latePending += 1
            }
            await client.reset()
            await late.run(request, as: .lateDelivery, after: delay)
            return End()
        case .hang(.applied), .hang(.body), .reset(.after), .reset(.body), .truncate, .lostReply, .latency, .duplicate,
            .stripPreconditions, .flipBits, .slowBody, .outage, nil:
            return try await forward()
        }
    }

    // MARK: Without the server

    private func drainRequest() async throws { _ = try await recordRequest(keeping: false) }

    private func recordRequest(keeping: Bool = true) async throws -> RecordedRequest {
        do {
            // A client that waits for leave to send its body gets it from us, since the server is not asked.
            if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                try await client.write(.head(HTTPResponseHead(version: .http1_1, status: .continue)))
            }
            var request = RecordedRequest(head: head)
            while let part = try await client.next() {
                if case .body = part, !keeping { continue }
                request.append(part)
                if request.isComplete { return request }
            }
        } catch { throw Failure.client }
        throw Failure.client
    }

    /// - Returns: whether the client may go on with this connection.
    private func answer(code: Int, retryAfter: Int?) async throws -> Bool {
        let name = [429: "TooManyRequests", 500: "InternalError", 503: "SlowDown"][code] ?? "InjectedFault"
        let body = """
            <?xml version="1.0" encoding="UTF-8"?>
            <Error><Code>\(name)</Code><Message>Injected by the fault proxy</Message></Error>
            """
        var headers: HTTPHeaders = ["Content-Type": "application/xml", "Content-Length": "\(body.utf8.count)"]
        if let retryAfter { headers.add(name: "Retry-After", value: "\(retryAfter)") }
        let status = HTTPResponseStatus(statusCode: code)
        do {
            try await client.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
            if head.method != .HEAD { try await client.write(.body(ByteBuffer(string: body))) }
        } catch { throw Failure.client }
        return head.isKeepAlive
    }
}
