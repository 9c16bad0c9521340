// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What was decided for one request, before anything of it was forwarded.
package struct FaultDecision: Equatable, Sendable {
    /// The request's place in the order of arrival since the plan was installed.
    package var request: Int
    package var delay: Duration = .zero
    /// The fault that decides how the request ends.
    package var outcome: Fault?
    package var stripsPreconditions = false
    package var flippedBitCount = 0
    package var duplicateDelays: [Duration] = []
    package var requestBytesPerSecond: Int?
    package var responseBytesPerSecond: Int?
    /// Seeds what is still to be drawn, such as the places of flipped bits.
    package var seed: UInt64
}

/// Decides about requests by plan, seed and order of arrival, and counts. Shared by all connections.
package final class FaultScript: Sendable {
    private struct RuleState {
        var matched = 0
        var burstLeft = 0
        var hits = 0
    }

    private struct State {
        var plan: FaultPlan
        var seed: UInt64
        var installed: ContinuousClock.Instant
        var requestCount = 0
        var rules: [RuleState]
        var counters = FaultCounters()

        init(plan: FaultPlan, seed: UInt64, now: ContinuousClock.Instant) {
            self.plan = plan
            self.seed = seed
            installed = now
            rules = Array(repeating: RuleState(), count: plan.rules.count)
        }
    }

    private let state: Mutex<State>

    package init(plan: FaultPlan, seed: UInt64) {
        state = Mutex(State(plan: plan, seed: seed, now: .now))
    }

    /// Begins anew: request 0 is the next one, windows count from now. Counters go on.
    package func install(_ plan: FaultPlan, seed: UInt64) {
        state.withLock { state in
            let counters = state.counters
            state = State(plan: plan, seed: seed, now: .now)
            state.counters = counters
        }
    }

    package var counters: FaultCounters { state.withLock { $0.counters } }

    func count(_ change: (inout FaultCounters) -> Void) { state.withLock { change(&$0.counters) } }
    func countInjected(_ name: FaultName) { count { $0.injected[name, default: 0] += 1 } }
    func countNotPossible(_ name: FaultName) { count { $0.notPossible[name, default: 0] += 1 } }

    /// Whether the plan has the server unreachable now.
    var isOutage: Bool {
        state.withLock { state in
            let elapsed = ContinuousClock.now - state.installed
            return state.plan.rules.contains { $0.fault == .outage && $0.window.contains(elapsed) }
        }
    }

    /// - Parameter uri: as in the request line, `/bucket/key?query`.
    package func decide(method: String, uri: String) -> FaultDecision {
        state.withLock { state in
            let request = state.requestCount
            state.requestCount += 1
            state.counters.requests += 1
            let elapsed = ContinuousClock.now - state.installed
            var shared = FaultDice(seed: state.seed, rule: -1, request: request)
            var decision = FaultDecision(request: request, seed: shared.next())
            for (index, rule) in state.plan.rules.enumerated() where rule.fault != .outage {
                guard rule.window.contains(elapsed), rule.matches(method: method, uri: uri.dropFirst()[...]) else {
                    continue
                }
                var dice = FaultDice(seed: state.seed, rule: index, request: request)
                let isTaken = rule.fault.isOutcome && decision.outcome != nil
                if Self.fires(rule, &state.rules[index], &dice, isTaken: isTaken) {
                    decision.add(rule.fault, &dice)
                }
            }
            return decision
        }
    }

    private static func fires(
        _ rule: FaultRule, _ state: inout RuleState, _ dice: inout FaultDice, isTaken: Bool
    ) -> Bool {
        let place = state.matched
        state.matched += 1
        // Drawn in any case: which number decides about a request must not depend on what other rules did.
        let draw = dice.unit()
        guard !isTaken, rule.limit.map({ state.hits < $0 }) ?? true, place >= rule.skip else { return false }
        if state.burstLeft > 0 {
            state.burstLeft -= 1
        } else {
            guard (place - rule.skip + 1) % rule.every == 0, draw < rule.rate else { return false }
            state.burstLeft = rule.burst - 1
        }
        state.hits += 1
        return true
    }
}

extension FaultDecision {
    fileprivate mutating func add(_ fault: Fault, _ dice: inout FaultDice) {
        switch fault {
        case .latency(let fixed, let jitter): delay += fixed + jitter * dice.unit()
        case .duplicate(let after): duplicateDelays.append(after)
        case .stripPreconditions: stripsPreconditions = true
        case .flipBits(let count): flippedBitCount += count
        case .slowBody(let rate, .request): requestBytesPerSecond = min(requestBytesPerSecond ?? .max, rate)
        case .slowBody(let rate, .response): responseBytesPerSecond = min(responseBytesPerSecond ?? .max, rate)
        case .status, .hang, .reset, .truncate, .lostReply, .lateDelivery: outcome = fault
        case .outage: break
        }
    }
}
