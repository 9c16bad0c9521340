// SPDX-License-Identifier: Apache-2.0
package import Messages
package import Platform

/// The open requests of one connection: when to send, when to send again, when to give up. No sockets and no clock:
/// events and time go in, actions come out.
///
/// A request keeps its number however often it is sent, and requests are sent in the order of their numbers after each
/// new connection, so that the server can recognise repeats and apply the rest in order.
package struct RequestReply {
    package struct Policy: Sendable {
        /// Sent again when no answer came for so long; doubles up to the longest. A lost message costs this much.
        package var firstRetry: Duration = .milliseconds(500)
        package var longestRetry: Duration = .seconds(4)
        /// After the server said that it is busy.
        package var busyRetry: Duration = .milliseconds(50)
        /// After the pipe was full.
        package var fullRetry: Duration = .milliseconds(5)
        package init() {}
    }

    package struct Request: Sendable, Equatable {
        package var kind: MessageKind
        package var body: [UInt8]
        package var deadline: MonotonicInstant
        package init(kind: MessageKind, body: [UInt8], deadline: MonotonicInstant) {
            self.kind = kind
            self.body = body
            self.deadline = deadline
        }
    }

    package enum Answer: Sendable, Equatable {
        case reply([UInt8])
        case fault(BusFault)
    }

    package enum Action: Equatable {
        /// Answered by `sent` or `notSent`.
        case send(number: UInt64, kind: MessageKind, body: [UInt8], timeoutMilliseconds: UInt32)
        case complete(number: UInt64, Answer)
    }

    private struct Open {
        var request: Request
        /// nil while there is no connection to send on.
        var nextSend: MonotonicInstant?
        var retry: Duration
        var timesSent = 0
        var lastFault: BusFault?
    }

    private let policy: Policy
    private let peerName: String
    private var open: [UInt64: Open] = [:]
    private var isConnected = false
    private var hasEverConnected = false
    private var areKeysRefused = false
    private let isNetwork: Bool
    private var completed: [Action] = []

    /// - Parameters: for the text of faults: `peerName`, and `isNetwork`, whether the peer is one of a network.
    package init(peerName: String, isNetwork: Bool = false, policy: Policy = Policy()) {
        self.peerName = peerName
        self.isNetwork = isNetwork
        self.policy = policy
    }

    package var isEmpty: Bool { open.isEmpty && completed.isEmpty }
    /// nil if nothing is open: then every number drawn so far is answered.
    package var lowestOpenNumber: UInt64? { open.keys.min() }

    /// When `takeActions` has something to do next.
    package var nextDeadline: MonotonicInstant? {
        if !completed.isEmpty { return MonotonicInstant(nanoseconds: 0) }
        return open.values.lazy.map { min($0.request.deadline, $0.nextSend ?? $0.request.deadline) }.min()
    }

    // MARK: Events

    package mutating func submit(_ request: Request, number: UInt64, now: MonotonicInstant) {
        precondition(open[number] == nil, "request numbers are drawn once")
        open[number] = Open(request: request, nextSend: isConnected ? now : nil, retry: policy.firstRetry)
    }

    /// The caller does not want the answer any more.
    package mutating func cancel(_ number: UInt64) {
        complete(number, .fault(BusFault(.cancelled, "the request was cancelled")))
    }

    /// Hello was answered: everything open is sent, again or for the first time.
    package mutating func connected(now: MonotonicInstant) {
        isConnected = true
        hasEverConnected = true
        areKeysRefused = false
        for number in open.keys {
            open[number]?.nextSend = now
            open[number]?.retry = policy.firstRetry
        }
    }

    /// An attempt to connect ended because of a key; there may be better ones.
    package mutating func keysWereRefused() { areKeysRefused = true }

    package mutating func disconnected() {
        isConnected = false
        for number in open.keys { open[number]?.nextSend = nil }
    }

    /// The connection cannot be used: every open request fails with this reason.
    package mutating func failAll(_ fault: BusFault) {
        for number in open.keys.sorted() { complete(number, .fault(fault)) }
    }

    /// - Returns: false if no such request is open: a late or repeated answer.
    @discardableResult
    package mutating func received(
        _ answer: Answer, number: UInt64, kind: MessageKind, now: MonotonicInstant
    ) -> Bool {
        guard let entry = open[number] else { return false }
        switch answer {
        case .reply:
            guard kind == entry.request.kind else { return false }
            complete(number, answer)
        case .fault(let fault) where fault.code == .busy:
            open[number]?.lastFault = fault
            if isConnected { open[number]?.nextSend = now.advanced(by: policy.busyRetry) }
        case .fault: complete(number, answer)
        }
        return true
    }

    /// The pipe had no room for a `send` action.
    package mutating func notSent(number: UInt64, now: MonotonicInstant) {
        guard open[number] != nil, isConnected else { return }
        open[number]?.timesSent -= 1
        open[number]?.nextSend = now.advanced(by: policy.fullRetry)
    }

    /// What is due now, in the order of the numbers.
    package mutating func takeActions(now: MonotonicInstant) -> [Action] {
        for (number, entry) in open.sorted(by: { $0.key < $1.key }) where entry.request.deadline <= now {
            complete(number, .fault(deadlineFault(entry)))
        }
        var actions = completed
        completed = []
        for (number, entry) in open.sorted(by: { $0.key < $1.key }) {
            guard let due = entry.nextSend, due <= now else { continue }
            let left = entry.request.deadline.duration(since: now).wholeMillisecondsRoundedUp
            actions.append(
                .send(
                    number: number, kind: entry.request.kind, body: entry.request.body,
                    timeoutMilliseconds: UInt32(clamping: left)))
            open[number]?.nextSend = now.advanced(by: entry.retry)
            open[number]?.retry = min(entry.retry * 2, policy.longestRetry)
            open[number]?.timesSent += 1
        }
        return actions
    }

    // MARK: Private parts

    private mutating func complete(_ number: UInt64, _ answer: Answer) {
        guard open.removeValue(forKey: number) != nil else { return }
        completed.append(.complete(number: number, answer))
    }

    private func deadlineFault(_ entry: Open) -> BusFault {
        let reason: String
        if let fault = entry.lastFault {
            reason = "it was busy: \(fault.message)"
        } else if !isConnected && areKeysRefused {
            reason = "the connection is refused: compare the keys of both sides (`sluice keys show`)"
        } else if !isConnected && !hasEverConnected {
            reason =
                "there is no connection: check that the service runs and "
                + (isNetwork ? "listens there, and that the network lets it through" : "uses the same run directory")
        } else if !isConnected {
            reason = "the connection was lost: check whether the service stopped, and its log"
        } else if entry.timesSent == 0 {
            reason = "it takes no more messages: check whether the service hangs or is overloaded"
        } else {
            reason = "it is connected but did not answer: check its log and `sluice status`"
        }
        return BusFault(.deadlineExceeded, "no answer to \(entry.request.kind) from \(peerName) in time; \(reason)")
    }
}
