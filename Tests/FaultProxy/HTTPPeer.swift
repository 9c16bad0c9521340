// SPDX-License-Identifier: Apache-2.0
import Glibc
package import NIOCore
package import NIOHTTP1

/// One connection, to a client or to the server, read and written part by part. Nothing is read before it is asked
/// for, and a write ends once the kernel has the bytes, so that a slow side slows the other one down.
package struct HTTPPeer<InHead: Sendable & Equatable, OutHead: Sendable & Equatable>: Sendable {
    package let channel: any Channel
    private let queue: PartQueue<InHead, OutHead>

    package init(channel: any Channel, queue: PartQueue<InHead, OutHead>) {
        self.channel = channel
        self.queue = queue
    }

    /// The next part, or nil once the other side has closed. Cancellation closes the connection.
    package func next() async throws -> HTTPPart<InHead, ByteBuffer>? {
        try await withTaskCancellationHandler {
            try await channel.eventLoop.flatSubmit { queue.next(on: channel.eventLoop) }.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    package func write(_ part: HTTPPart<OutHead, ByteBuffer>) async throws {
        try await withTaskCancellationHandler {
            try await channel.writeAndFlush(part).get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    package func close() { channel.close(promise: nil) }

    /// Closes with a reset: what the kernel still had to send is dropped.
    package func reset() async {
        if let provider = channel as? any SocketOptionProvider {
            try? await provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try? await channel.close().get()
    }

    /// Waits until the other side has closed, whatever it sends until then.
    package func waitForClose() async throws {
        while try await next() != nil {}
    }

    /// Waits until the other side has closed and takes nothing from it until then.
    package func waitForCloseUnread() async throws {
        try await withTaskCancellationHandler {
            try await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Closes if nobody is in the middle of an exchange: a reader waits, and what it waits for has not begun.
    /// Called on the event loop, so that nobody can begin to wait between the caller's decision and this.
    func closeIfIdle() {
        channel.eventLoop.preconditionInEventLoop()
        if queue.isIdle { channel.close(promise: nil) }
    }
}

/// Hands the parts that arrive to the one task that asks for them, and turns the parts that go out into what the
/// encoder takes.
///
/// `@unchecked Sendable`: its fields are touched on the channel's event loop only, which `next` and NIO see to.
package final class PartQueue<InHead: Sendable & Equatable, OutHead: Sendable & Equatable>:
    ChannelDuplexHandler, @unchecked Sendable
{
    package typealias InboundIn = HTTPPart<InHead, ByteBuffer>
    package typealias OutboundIn = HTTPPart<OutHead, ByteBuffer>
    package typealias OutboundOut = HTTPPart<OutHead, IOData>

    private var parts: [InboundIn] = []
    private var waiter: EventLoopPromise<InboundIn?>?
    private var context: ChannelHandlerContext?
    private var failure: (any Error)?
    private var hasEnded = false
    /// Whether the last part that was handed out ended a message.
    private var isBetweenMessages = true

    package init() {}

    var isIdle: Bool { waiter != nil && isBetweenMessages }

    func next(on loop: any EventLoop) -> EventLoopFuture<InboundIn?> {
        loop.preconditionInEventLoop()
        precondition(waiter == nil, "one task reads a connection")
        let promise = loop.makePromise(of: InboundIn?.self)
        if !parts.isEmpty {
            let part = parts.removeFirst()
            note(part)
            promise.succeed(part)
        } else if let failure {
            promise.fail(failure)
        } else if hasEnded {
            finish(promise)
        } else {
            waiter = promise
            context?.read()
        }
        return promise.futureResult
    }

    private func note(_ part: InboundIn) {
        if case .end = part { isBetweenMessages = true } else { isBetweenMessages = false }
    }

    /// The end between two messages is a good end.
    private func finish(_ promise: EventLoopPromise<InboundIn?>) {
        if isBetweenMessages { promise.succeed(nil) } else { promise.fail(ChannelError.eof) }
    }

    // MARK: ChannelHandler

    package func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        // A connection that is closed before it was active never becomes inactive.
        end()
    }

    package func channelActive(context: ChannelHandlerContext) {
        // A read that was asked for before the connection was active is forgotten.
        if waiter != nil { context.read() }
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard let promise = waiter else { return parts.append(part) }
        waiter = nil
        note(part)
        promise.succeed(part)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        // Bytes came that did not make up a part yet.
        if waiter != nil { context.read() }
        context.fireChannelReadComplete()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        hasEnded = true
        guard let promise = waiter else { return }
        waiter = nil
        finish(promise)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failure == nil { failure = error }
        if let promise = waiter {
            waiter = nil
            promise.fail(error)
        }
        // What is no HTTP is counted by whoever reads, who then closes: the other side sees the end after that.
        if !(error is HTTPParserError) { context.close(promise: nil) }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: OutboundOut =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let bytes): .body(.byteBuffer(bytes))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
