// SPDX-License-Identifier: Apache-2.0
package import NIOCore
package import NIOHTTP1
import NIOPosix

/// A connection that somebody made to us.
package typealias ClientPeer = HTTPPeer<HTTPRequestHead, HTTPResponseHead>
/// A connection that we made to the server.
package typealias UpstreamPeer = HTTPPeer<HTTPResponseHead, HTTPRequestHead>

extension HTTPPeer {
    /// Large enough that a body of many megabytes passes in few parts.
    private static var readBuffer: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65536, maximum: 1 << 20)
    }
}

extension ClientPeer {
    /// Listens on loopback and hands on each connection.
    package static func listen(
        on port: UInt16, onConnect: @escaping @Sendable (ClientPeer) -> Void
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.recvAllocator, value: readBuffer)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let queue = PartQueue<HTTPRequestHead, HTTPResponseHead>()
                    // Framing is the server's: a header that it did not send must not appear.
                    var configuration = HTTPResponseEncoder.Configuration()
                    configuration.automaticallySetFramingHeaders = false
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPResponseEncoder(configuration: configuration))
                    try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try pipeline.addHandler(queue)
                    onConnect(ClientPeer(channel: channel, queue: queue))
                }
            }
            .bind(host: "127.0.0.1", port: Int(port)).get()
    }
}

extension UpstreamPeer {
    static func connect(to upstream: UpstreamAddress, on loop: any EventLoop) async throws -> UpstreamPeer {
        let queue = PartQueue<HTTPResponseHead, HTTPRequestHead>()
        let channel = try await ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.recvAllocator, value: readBuffer)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var configuration = HTTPRequestEncoder.Configuration()
                    configuration.automaticallySetFramingHeaders = false
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTPRequestEncoder(configuration: configuration))
                    // It is told of each request on its way out, to know that the answer to a HEAD has no body.
                    try pipeline.addHandler(
                        ByteToMessageHandler(HTTPResponseDecoder(informationalResponseStrategy: .forward)))
                    try pipeline.addHandler(queue)
                }
            }
            .connect(host: upstream.host, port: Int(upstream.port)).get()
        return UpstreamPeer(channel: channel, queue: queue)
    }
}

/// Where the server listens.
package struct UpstreamAddress: Equatable, Sendable {
    package var host: String
    package var port: UInt16

    /// Takes `http://host:port`; the proxy speaks no TLS and changes no paths.
    package init(_ text: String) throws(FaultProxyError) {
        let scheme = "http://"
        var rest = text.hasPrefix(scheme) ? text.dropFirst(scheme.count) : text[...]
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let colon = rest.lastIndex(of: ":"), colon > rest.startIndex,
            let port = UInt16(rest[rest.index(after: colon)...]), port > 0, !rest.contains("/")
        else { throw .upstream(text) }
        host = String(rest[..<colon])
        self.port = port
    }
}
