// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// The proxy's control by HTTP, on a port of its own on loopback:
///
///     GET /counters                the counters as JSON
///     PUT /plan?seed=N             the body is the new plan
///     PUT /outage, DELETE /outage  refuse everything, and end that
package struct AdminServer: Sendable {
    private let proxy: FaultProxy
    private let listener: ProxyListener

    package init(proxy: FaultProxy, port: UInt16) async throws(FaultProxyError) {
        self.proxy = proxy
        listener = try ProxyListener(port: port)
        try await listener.setListening { true }
    }

    package var port: UInt16 { listener.port }

    /// Serves until its task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await client in listener.connections {
                group.addTask {
                    try? await serve(client)
                    client.close()
                }
            }
            group.cancelAll()
            await listener.finish()
        }
    }

    private func serve(_ client: ClientPeer) async throws {
        var head: HTTPRequestHead?
        var body = ByteBuffer()
        while let part = try await client.next() {
            switch part {
            case .head(let new): head = new
            case .body(var bytes):
                guard body.readableBytes + bytes.readableBytes <= 1 << 20 else { return }
                body.writeBuffer(&bytes)
            case .end:
                guard let request = head else { return }
                let (status, text) = await answer(request, body: String(buffer: body))
                body.clear()
                let headers: HTTPHeaders = ["Content-Length": "\(text.utf8.count)"]
                try await client.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
                try await client.write(.body(ByteBuffer(string: text)))
                guard request.isKeepAlive else { return }
            }
        }
    }

    private func answer(_ head: HTTPRequestHead, body: String) async -> (HTTPResponseStatus, String) {
        let path = head.uri.prefix { $0 != "?" }
        do {
            switch (head.method, path) {
            case (.GET, "/counters"): break
            case (.PUT, "/plan"):
                let query = head.uri.dropFirst(path.count + 1)
                guard let seed = query.isEmpty ? 1 : UInt64(query.dropFirst("seed=".count)) else {
                    return (.badRequest, "\(query) is not seed=N\n")
                }
                try await proxy.install(try FaultPlan(text: body), seed: seed)
            case (.PUT, "/outage"): try await proxy.beginOutage()
            case (.DELETE, "/outage"): try await proxy.endOutage()
            default: return (.notFound, "there are GET /counters, PUT /plan?seed=N, PUT and DELETE /outage\n")
            }
        } catch { return (.badRequest, "\(error)\n") }
        return (.ok, proxy.counters.json + "\n")
    }
}
