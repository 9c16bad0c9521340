// SPDX-License-Identifier: Apache-2.0

/// When a silent initiator is pinged and when it is given up (RFC 7143 §11.19). Times are nanoseconds of any monotonic
/// clock.
package struct KeepAlive {
    package enum Step: Equatable, Sendable { case none, ping, giveUp }

    private let idleNanoseconds: UInt64
    private let answerNanoseconds: UInt64
    private var heardAt: UInt64
    private var pingedAt: UInt64?

    package init(idleSeconds: UInt64 = 30, answerSeconds: UInt64 = 60, now: UInt64) {
        idleNanoseconds = idleSeconds * 1_000_000_000
        answerNanoseconds = answerSeconds * 1_000_000_000
        heardAt = now
    }

    /// Any whole PDU says that the initiator lives.
    package mutating func heard(at now: UInt64) {
        heardAt = now
        pingedAt = nil
    }

    package mutating func check(at now: UInt64) -> Step {
        if let pingedAt { return now &- pingedAt >= answerNanoseconds ? .giveUp : .none }
        guard now &- heardAt >= idleNanoseconds else { return .none }
        pingedAt = now
        return .ping
    }
}
