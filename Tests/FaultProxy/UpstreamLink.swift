// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// The connection to the server that belongs to one client's connection: opened at the first request, kept as long
/// as both sides keep theirs, so that a client meets the same closed connections as without the proxy.
final class UpstreamLink: Sendable {
    private let upstream: UpstreamAddress
    private let client: ClientPeer
    private let peer = Mutex<UpstreamPeer?>(nil)
    private let detached = Atomic(false)

    init(upstream: UpstreamAddress, client: ClientPeer) {
        self.upstream = upstream
        self.client = client
    }

    /// Whether the two connections go separate ways: the client's was ended by us, and what the server still does with
    /// the request is to go on, or the client is to wait for ever, whatever the server does.
    var isDetached: Bool { detached.load(ordering: .acquiring) }
    func detach() { detached.store(true, ordering: .releasing) }

    func open() async throws -> UpstreamPeer {
        if let open = peer.withLock({ $0 }), open.channel.isActive { return open }
        let new = try await UpstreamPeer.connect(to: upstream, on: client.channel.eventLoop)
        peer.withLock { $0 = new }
        let client = client
        // A client that goes away takes its request to the server with it; a server that hangs up says so to an idle
        // client.
        client.channel.closeFuture.whenComplete { [weak self] _ in
            if self?.isDetached != true { new.close() }
        }
        new.channel.closeFuture.whenComplete { [weak self] _ in
            if self?.isDetached != true { client.closeIfIdle() }
        }
        return new
    }

    func close() { peer.withLock { $0?.close() } }
}
