// SPDX-License-Identifier: Apache-2.0

/// One thing that goes wrong between a client and the server behind the proxy.
///
/// Modifiers (latency, slow bodies, flipped bits, stripped preconditions, duplicates) add up on one request; of the
/// others, which decide how a request ends, the first that fires is the one.
package enum Fault: Equatable, Sendable {
    /// The request waits before anything else happens to it: `fixed` plus a seeded share of `jitter`.
    case latency(fixed: Duration, jitter: Duration)
    /// The proxy answers itself once it has read the request; the server never sees it.
    case status(code: Int, retryAfterSeconds: Int?)
    case hang(HangStage)
    case reset(ResetStage)
    /// The response promises its length, brings at most `keep` bytes of body, always at least one too few, and ends.
    case truncate(keep: Int)
    /// The server applies the request and answers; the client gets a reset instead of the answer. A request that the
    /// server refused keeps its answer, since nothing was applied.
    case lostReply
    /// The request is sent again, identical to the byte, `after` the first one was answered; the answer is dropped.
    case duplicate(after: Duration)
    /// The client gets a reset as soon as its request was read; the server gets the request only `after` that.
    case lateDelivery(after: Duration)
    /// If-Match and If-None-Match do not reach the server. Not possible for headers that the signature covers.
    case stripPreconditions
    /// `count` bits of the response body are inverted, at seeded places.
    case flipBits(count: Int)
    case slowBody(bytesPerSecond: Int, BodyDirection)
    /// Connections are refused and open ones are reset for as long as the rule's window is open.
    case outage

    package enum HangStage: String, CaseIterable, Sendable {
        /// The request's head is read and then nothing more, so that a large upload stops in its middle.
        case upload
        /// The whole request is read and never answered; the server does not see it.
        case reply
        /// As `reply`, but the server has applied the request.
        case applied
        /// The response stops in the middle of its body.
        case body
    }

    package enum ResetStage: String, CaseIterable, Sendable {
        /// Before a byte reaches the server.
        case before
        /// As soon as the whole request was forwarded: whether it is applied is for the server to say.
        case after
        /// In the middle of the response's body.
        case body
    }

    package enum BodyDirection: String, CaseIterable, Sendable { case request, response }

    package var name: FaultName {
        switch self {
        case .latency: .latency
        case .status: .status
        case .hang: .hang
        case .reset: .reset
        case .truncate: .truncate
        case .lostReply: .lostReply
        case .duplicate: .duplicate
        case .lateDelivery: .lateDelivery
        case .stripPreconditions: .stripPreconditions
        case .flipBits: .flipBits
        case .slowBody: .slowBody
        case .outage: .outage
        }
    }

    /// Whether the fault decides how the request ends.
    var isOutcome: Bool {
        switch self {
        case .status, .hang, .reset, .truncate, .lostReply, .lateDelivery: true
        case .latency, .duplicate, .stripPreconditions, .flipBits, .slowBody, .outage: false
        }
    }
}

/// The names of faults in plans and counters.
package enum FaultName: String, CaseIterable, Sendable {
    case latency, status, hang, reset, truncate
    case lostReply = "lost-reply"
    case duplicate
    case lateDelivery = "late-delivery"
    case stripPreconditions = "strip-preconditions"
    case flipBits = "flip-bits"
    case slowBody = "slow-body"
    case outage
}
