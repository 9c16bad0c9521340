// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform
import Synchronization

/// A caller's claim to one answer. `isCancelled` is set from any thread before the loop is told, so that a request
/// which reaches the loop later is not started.
final class RequestTicket: Sendable {
    let isCancelled = Atomic<Bool>(false)
}

/// Requests to one endpoint, over a connection of their own. Confined to the bus thread's loop.
final class BusClient: ClientConnectionOwner {
    typealias Completion = @Sendable (RequestReply.Answer) -> Void

    /// Requests waiting at once; more is a caller that does not wait for answers.
    private static let openLimit = 4096
    private static let idleTime = Duration.seconds(60)

    private let core: BusCore
    private var connection: ClientConnection?
    private var machine: RequestReply
    private var lastUse = MonotonicClock.now()
    private var completions: [UInt64: (ticket: RequestTicket, call: Completion)] = [:]

    init(core: BusCore, endpoint: Endpoint) throws(BusError) {
        self.core = core
        machine = RequestReply(peerName: endpoint.description, isNetwork: endpoint.isNetwork)
        let connection = try ClientConnection(core: core, endpoint: endpoint, owner: self)
        self.connection = connection
        try connection.open()
    }

    var isEstablished: Bool { connection?.isEstablished ?? false }
    /// Nothing is lost with it: nobody waits, and it could only be waiting for a service that has gone.
    func isObsolete(now: MonotonicInstant) -> Bool {
        !isEstablished && completions.isEmpty && now.duration(since: lastUse) > Self.idleTime
    }

    func submit(_ request: RequestReply.Request, ticket: RequestTicket, completion: @escaping Completion) {
        if ticket.isCancelled.load(ordering: .sequentiallyConsistent) {
            return completion(.fault(BusFault(.cancelled, "the request was cancelled")))
        }
        if let fault = connection?.refusal { return completion(.fault(fault)) }
        guard completions.count < Self.openLimit else {
            return completion(.fault(BusFault(.busy, "\(Self.openLimit) requests wait for an answer already")))
        }
        lastUse = MonotonicClock.now()
        let number = core.drawNumber()
        completions[number] = (ticket, completion)
        machine.submit(request, number: number, now: MonotonicClock.now())
    }

    func cancel(_ ticket: RequestTicket) {
        guard let number = completions.first(where: { $0.value.ticket === ticket })?.key else { return }
        machine.cancel(number)
    }

    func close(_ fault: BusFault) {
        machine.failAll(fault)
        perform(now: MonotonicClock.now())
        connection?.close()
    }

    // MARK: ClientConnectionOwner

    var nextSendDeadline: MonotonicInstant? { machine.nextDeadline }

    func connectionEstablished(_ reply: HelloRequest.Reply, now: MonotonicInstant) { machine.connected(now: now) }
    func connectionLost(now: MonotonicInstant) { machine.disconnected() }

    func connectionKeysRefused() { machine.keysWereRefused() }

    func connectionRefused(_ fault: BusFault, now: MonotonicInstant) {
        machine.disconnected()
        machine.failAll(fault)
    }

    func connectionReceived(_ message: IncomingMessage, now: MonotonicInstant) {
        let envelope = message.envelope
        guard envelope.isReply else {
            connection?.socket.refuse(message, .unexpected, BusFault(.malformed, "a request from a server"))
            return
        }
        var answer = RequestReply.Answer.reply(message.bodyArray)
        if envelope.kind == .fault {
            guard let fault = try? message.decodeBody(BusFault.self) else {
                connection?.socket.refuse(message, .malformedBody, BusFault(.malformed, "a fault that cannot be read"))
                return
            }
            answer = .fault(fault)
        }
        // Answers to requests that are not open any more are late or repeated: nothing is lost with them.
        machine.received(answer, number: envelope.requestID, kind: envelope.kind, now: now)
    }

    func connectionMaySend(now: MonotonicInstant) { perform(now: now) }

    private func perform(now: MonotonicInstant) {
        for action in machine.takeActions(now: now) {
            switch action {
            case .send(let number, let kind, let body, let timeoutMilliseconds):
                let header = MessageSocket.Header(
                    kind, requestID: number, lowestOpenNumber: machine.lowestOpenNumber ?? number,
                    timeoutMilliseconds: timeoutMilliseconds)
                if connection?.socket.send(header, body: body) != .sent { machine.notSent(number: number, now: now) }
            case .complete(let number, let answer):
                completions.removeValue(forKey: number)?.call(answer)
            }
        }
    }
}
