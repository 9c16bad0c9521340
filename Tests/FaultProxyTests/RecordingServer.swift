// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import NIOCore
import NIOHTTP1
import Synchronization

/// A small store behind the proxy that remembers each request. `/refused` is 412, `/empty` is 204, `/hangup` closes
/// without an answer, `/chunked` has no length; any other path is an object.
final class RecordingServer: Sendable {
    struct Request: Equatable, Sendable {
        var line: String
        var headers: [String]
        var body: [UInt8]
    }

    private struct State {
        var requests: [Request] = []
        var objects: [String: [UInt8]] = [:]
    }

    private let state = Mutex(State())
    private let channel: any Channel
    private let task: Task<Void, Never>

    init(objects: [String: [UInt8]] = [:]) async throws {
        let (stream, continuation) = AsyncStream<ClientPeer>.makeStream()
        channel = try await ClientPeer.listen(on: 0) { continuation.yield($0) }
        let box = Box()
        task = Task {
            await withDiscardingTaskGroup { group in
                for await peer in stream {
                    group.addTask {
                        try? await box.value?.serve(peer)
                        peer.close()
                    }
                }
            }
        }
        state.withLock { $0.objects = objects }
        box.value = self
    }

    /// Holds the server weakly, since its task must not keep it.
    private final class Box: Sendable {
        private struct Weak { weak var server: RecordingServer? }
        private let content = Mutex(Weak())
        var value: RecordingServer? {
            get { content.withLock { $0.server } }
            set { content.withLock { $0.server = newValue } }
        }
    }

    deinit {
        task.cancel()
        channel.close(promise: nil)
    }

    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    var requests: [Request] { state.withLock { $0.requests } }
    func object(_ path: String) -> [UInt8]? { state.withLock { $0.objects[path] } }

    private func serve(_ peer: ClientPeer) async throws {
        var head: HTTPRequestHead?
        var body: [UInt8] = []
        while let part = try await peer.next() {
            switch part {
            case .head(let new): (head, body) = (new, [])
            case .body(let bytes): body += bytes.readableBytesView
            case .end:
                guard let request = head else { return }
                guard try await answer(request, body, peer), request.isKeepAlive else { return }
            }
        }
    }

    private func answer(_ head: HTTPRequestHead, _ body: [UInt8], _ peer: ClientPeer) async throws -> Bool {
        state.withLock {
            $0.requests.append(
                Request(
                    line: "\(head.method.rawValue) \(head.uri)", headers: head.headers.map { "\($0): \($1)" },
                    body: body))
        }
        var status = HTTPResponseStatus.ok
        var answer: [UInt8] = []
        switch (head.method, head.uri) {
        case (_, "/hangup"): return false
        case (_, "/refused"): status = .preconditionFailed
        case (_, "/empty"): status = .noContent
        case (.PUT, let path): state.withLock { $0.objects[path] = body }
        case (_, let path): answer = object(path) ?? []
        }
        var headers: HTTPHeaders = ["X-Served": "\(requests.count)"]
        if head.uri == "/chunked" {
            headers.add(name: "Transfer-Encoding", value: "chunked")
        } else if status != .noContent {
            headers.add(name: "Content-Length", value: "\(answer.count)")
        }
        try await peer.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
        if head.method != .HEAD, !answer.isEmpty { try await peer.write(.body(ByteBuffer(bytes: answer))) }
        try await peer.write(.end(nil))
        return true
    }
}
