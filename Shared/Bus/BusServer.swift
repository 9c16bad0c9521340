// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform

/// A request that was admitted and waits for its handler.
struct BusJob: Sendable {
    var kind: MessageKind
    var body: [UInt8]
    var peer: BusPeer
    var number: UInt64
    /// Called once, from any thread, with the reply or a fault; not at all if the server stops first.
    var answer: @Sendable (Result<[UInt8], BusFault>) -> Void
}

/// One bound endpoint: admits requests, hands them over, sends the answers. Confined to the bus thread's loop; jobs
/// carry only a weak reference through other threads, which is the proof for `@unchecked Sendable`.
final class BusServer: @unchecked Sendable {
    private let core: BusCore
    private let socket: MessageSocket
    private let responder: HelloResponder
    private let incoming = IncomingMessage()
    private var answers = AnswerTable()
    private let dispatch: (BusJob) -> Void

    /// - Parameter dispatch: hands a job to its handler; must not fail, `AnswerTable` bounds the jobs.
    init(
        core: BusCore, endpoint: Endpoint, details: @escaping @Sendable () -> HelloDetails,
        dispatch: @escaping (BusJob) -> Void
    ) throws(BusError) {
        self.core = core
        self.dispatch = dispatch
        responder = HelloResponder(identity: core.identity, details: details)
        socket = try MessageSocket(
            .server, context: core.context, instance: core.identity.instance, logger: core.logger,
            counters: core.counters, options: core.socketOptions)
        try socket.bind(endpoint)
        do throws(SystemError) {
            try socket.attach(to: core.loop) { [weak self] in self?.work() }
        } catch {
            throw .system(error)
        }
    }

    func close() { socket.close() }

    /// Answers are sent when they are ready, which is before this in the same iteration.
    private func work() {
        socket.drain(into: incoming) { message in
            guard let peer = responder.admit(message, on: socket), let identity = message.peer else { return }
            accept(message, from: peer, at: identity)
        }
    }

    private func accept(_ message: IncomingMessage, from peer: BusPeer, at identity: PeerIdentity) {
        let envelope = message.envelope
        guard !envelope.isReply else {
            return socket.refuse(message, .unexpected, BusFault(.malformed, "a reply to a request that was not sent"))
        }
        let number = envelope.requestID
        let admission = answers.admit(
            number, from: identity, lowestOpenNumber: envelope.lowestOpenNumber, now: MonotonicClock.now())
        switch admission {
        case .execute:
            dispatch(
                BusJob(kind: envelope.kind, body: message.bodyArray, peer: peer, number: number) { [weak core] result in
                    // Refused only when the bus is shut down: nobody waits any more.
                    _ = core?.post { [weak self] _ in self?.finish(number, identity, envelope.kind, result) }
                })
        case .inProgress: break
        case .answered(let kind, let body):
            _ = socket.send(.init(kind, requestID: number, isReply: true), body: body, to: identity)
        case .stale: core.counters.countRefused(.unexpected)
        case .full:
            socket.send(
                BusFault(.busy, "too many requests are in progress"), requestID: number, to: identity)
        }
    }

    private func finish(
        _ number: UInt64, _ identity: PeerIdentity, _ kind: MessageKind, _ result: Result<[UInt8], BusFault>
    ) {
        guard !socket.isClosed else { return }
        var replyKind = kind
        var keep = true
        let body: [UInt8]
        switch result {
        case .success(let bytes): body = bytes
        case .failure(let fault):
            replyKind = .fault
            keep = fault.code != .busy
            // A fault is two fields; encoding it cannot fail.
            body = (try? MessageCoder.encode(fault)) ?? []
        }
        answers.complete(number, from: identity, kind: replyKind, body: body, keep: keep)
        // If the peer is gone or its pipe full, it asks again and gets the answer that was kept.
        _ = socket.send(.init(replyKind, requestID: number, isReply: true), body: body, to: identity)
    }
}
