// SPDX-License-Identifier: Apache-2.0
package import Engine
package import TestSupport

/// What happens to one request on its way to the bucket and back, drawn by seed.
package struct StorePlan {
    /// When the store carries it out; nil: never.
    package var appliesAt: UInt64?
    package var answersAt: UInt64
    /// What the caller is told; nil: what the store says.
    package var answer: BucketFailure?
    /// The body arrives with a bit flipped (reads).
    package var flipsBody = false
    /// The store is asked twice and the second answer is passed on, as some client libraries do after a lost reply.
    package var retriesInside = false
}

/// Latency, throttling, outages, lost replies and late requests (STORAGE §10).
package struct StoreFaults {
    package struct Rates {
        /// Each is "once in so many requests"; 0 never.
        package var unavailable = 0
        package var conflict = 0
        package var lostReply = 0
        package var lostRequest = 0
        /// The caller hears "ambiguous" long before the request takes effect.
        package var late = 0
        package var insideRetry = 0
        package var shortBody = 0
        package var flippedBody = 0
        package var uploaderLost = 0
        /// Throttling comes in bursts: once in so many requests a burst begins.
        package var throttleBurst = 0
        package init() {}
    }

    package var rates: Rates
    package var fastestNanoseconds: UInt64 = 500_000
    package var slowestNanoseconds: UInt64 = 8_000_000
    package var timeoutNanoseconds: UInt64 = 30_000_000
    private var outageEnd: UInt64 = 0
    private var throttledRequests = 0

    package init(rates: Rates) { self.rates = rates }

    package mutating func beginOutage(until end: UInt64) { outageEnd = max(outageEnd, end) }
    package func isOut(at time: UInt64) -> Bool { time < outageEnd }
    package mutating func heal() {
        rates = Rates()
        outageEnd = 0
        throttledRequests = 0
    }

    private func latency(_ random: inout SeededRandom) -> UInt64 {
        let span = Int(slowestNanoseconds - fastestNanoseconds) + 1
        // Most requests are quick, some take ten times as long.
        return fastestNanoseconds + UInt64(random.below(random.oneIn(8) ? span : span / 8 + 1))
    }

    private mutating func isThrottled(_ random: inout SeededRandom) -> Bool {
        if throttledRequests > 0 {
            throttledRequests -= 1
            return true
        }
        if random.oneIn(rates.throttleBurst) { throttledRequests = 1 + random.below(6) }
        return throttledRequests > 0
    }

    /// Faults common to reads and writes; nil if it goes through.
    private mutating func refusal(at time: UInt64, _ random: inout SeededRandom) -> StorePlan? {
        let answersAt = time + latency(&random)
        if isOut(at: time) {
            return StorePlan(
                appliesAt: nil, answersAt: min(time + timeoutNanoseconds, max(outageEnd, answersAt)),
                answer: .unavailable("no route to the bucket"))
        }
        if isThrottled(&random) {
            return StorePlan(appliesAt: nil, answersAt: answersAt, answer: .unavailable("503 slow down"))
        }
        if random.oneIn(rates.unavailable) {
            return StorePlan(appliesAt: nil, answersAt: answersAt, answer: .unavailable("500"))
        }
        return nil
    }

    package mutating func planWrite(at time: UInt64, random: inout SeededRandom) -> StorePlan {
        if let refusal = refusal(at: time, &random) { return refusal }
        let applies = time + latency(&random)
        let timeout = time + timeoutNanoseconds
        if random.oneIn(rates.conflict) {
            return StorePlan(appliesAt: nil, answersAt: applies, answer: .conflict)
        }
        if random.oneIn(rates.lostReply) {
            return StorePlan(appliesAt: applies, answersAt: timeout, answer: .ambiguous("reply lost"))
        }
        if random.oneIn(rates.lostRequest) {
            return StorePlan(appliesAt: nil, answersAt: timeout, answer: .ambiguous("request lost"))
        }
        if random.oneIn(rates.late) {
            let delay = UInt64(random.below(Int(timeoutNanoseconds) * 8))
            return StorePlan(appliesAt: timeout + delay, answersAt: timeout, answer: .ambiguous("timed out"))
        }
        if random.oneIn(rates.uploaderLost) {
            return StorePlan(
                appliesAt: random.oneIn(2) ? applies : nil, answersAt: timeout, answer: .ambiguous("uploader lost"))
        }
        var plan = StorePlan(appliesAt: applies, answersAt: applies + latency(&random) / 4)
        plan.retriesInside = random.oneIn(rates.insideRetry)
        return plan
    }

    package mutating func planRead(at time: UInt64, random: inout SeededRandom) -> StorePlan {
        if let refusal = refusal(at: time, &random) { return refusal }
        let applies = time + latency(&random)
        if random.oneIn(rates.uploaderLost) || random.oneIn(rates.lostReply) {
            return StorePlan(
                appliesAt: nil, answersAt: time + timeoutNanoseconds, answer: .unavailable("no answer in time"))
        }
        if random.oneIn(rates.shortBody) {
            return StorePlan(appliesAt: nil, answersAt: applies, answer: .corrupt("short body"))
        }
        var plan = StorePlan(appliesAt: applies, answersAt: applies + latency(&random) / 4)
        plan.flipsBody = random.oneIn(rates.flippedBody)
        return plan
    }
}
