// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP server on loopback that answers what a test says, and remembers what it was asked. It ends with the last
/// reference.
final class ScriptedServer: Sendable {
    struct Answer {
        var status = HTTPResponseStatus.ok
        var headers: HTTPHeaders = [:]
        var body = ""
    }

    private let channel: any Channel
    private let asked = Asked()

    /// - Parameter tls: nil: plain HTTP.
    init(
        tls: TLSConfiguration? = nil, answer: @escaping @Sendable (HTTPRequestHead) -> Answer
    ) throws {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let asked = asked
        channel = try ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Answerer(asked: asked, answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit { channel.close(promise: nil) }

    var port: Int { channel.localAddress?.port ?? 0 }
    /// The heads of all requests, in the order in which they came.
    var requests: [HTTPRequestHead] { asked.heads.withLock { $0 } }

    private final class Asked: Sendable {
        let heads = Mutex<[HTTPRequestHead]>([])
    }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let asked: Asked
        private let answer: @Sendable (HTTPRequestHead) -> Answer
        private var head: HTTPRequestHead?

        init(asked: Asked, answer: @escaping @Sendable (HTTPRequestHead) -> Answer) {
            self.asked = asked
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body: break
            case .end:
                guard let head else { return }
                asked.heads.withLock { $0.append(head) }
                let answer = answer(head)
                var headers = answer.headers
                headers.add(name: "content-length", value: "\(answer.body.utf8.count)")
                let response = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
                context.write(wrapOutboundOut(.head(response)), promise: nil)
                if head.method != .HEAD {
                    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
                }
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
