// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// A whole request kept for later. The bytes are shared with the buffers they arrived in, not copied.
struct RecordedRequest: Sendable {
    var head: HTTPRequestHead
    private var body: [ByteBuffer] = []
    private var trailers: HTTPHeaders?
    private(set) var isComplete = false

    init(head: HTTPRequestHead) { self.head = head }

    mutating func append(_ part: HTTPPart<HTTPRequestHead, ByteBuffer>) {
        switch part {
        case .head(let head): self.head = head
        case .body(let bytes): body.append(bytes)
        case .end(let trailers):
            self.trailers = trailers
            isComplete = true
        }
    }

    /// Sends it on a connection of its own and reads the answer to its end.
    /// - Returns: the answer's status.
    func deliver(to upstream: UpstreamAddress, on loop: any EventLoop) async throws -> HTTPResponseStatus {
        let peer = try await UpstreamPeer.connect(to: upstream, on: loop)
        defer { peer.close() }
        try await peer.write(.head(head))
        for bytes in body { try await peer.write(.body(bytes)) }
        // A server that has the whole body may have answered and gone: what it said tells whether it has.
        try? await peer.write(.end(trailers))
        var status: HTTPResponseStatus?
        while let part = try await peer.next() {
            switch part {
            // An informational answer has no end of its own.
            case .head(let head): if head.status.code >= 200 { status = head.status }
            case .body: break
            case .end: if let status { return status }
            }
        }
        throw ChannelError.eof
    }
}

/// Delivers recorded requests later than their clients believe, or once more.
struct LateDelivery: Sendable {
    let script: FaultScript
    let upstream: UpstreamAddress
    let loop: any EventLoop

    /// The caller has counted the request as pending.
    func run(_ request: RecordedRequest, as name: FaultName, after delay: Duration) async {
        do {
            try await Task.sleep(for: delay)
            let status = try await request.deliver(to: upstream, on: loop)
            script.count { counters in
                counters.latePending -= 1
                counters.lateDelivered += 1
                if status.code >= 300 { counters.lateRefused += 1 }
                // A late delivery has taken effect already when its client got the reset.
                if name == .duplicate { counters.injected[name, default: 0] += 1 }
            }
        } catch {
            script.count { counters in
                counters.latePending -= 1
                counters.lateFailed += 1
            }
        }
    }
}
