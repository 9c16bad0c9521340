// SPDX-License-Identifier: Apache-2.0

/// How often and how long a call is tried again: exponential pauses with full jitter, so that many callers that failed
/// together do not come back together; never beyond `deadline`. Where the store says when it wants to be asked again,
/// nobody asks it earlier.
package struct RetryPolicy: Sendable, Equatable {
    /// The longest first pause; doubles each time up to `maximumPause`.
    package var firstPause: Duration
    package var maximumPause: Duration
    /// From the start of the first attempt; no pause ends after it.
    package var deadline: Duration
    /// In place of `deadline` for pauses that the store asked for.
    package var patience: Duration

    /// - Parameter patience: nil: as long as `deadline`.
    package init(
        firstPause: Duration = .milliseconds(50), maximumPause: Duration = .seconds(5), deadline: Duration,
        patience: Duration? = nil
    ) {
        precondition(firstPause > .zero && maximumPause >= firstPause)
        self.firstPause = firstPause
        self.maximumPause = maximumPause
        self.deadline = deadline
        self.patience = patience ?? deadline
    }

    /// The upper limit of the pause after `attempt` attempts (1 = after the first).
    package func ceiling(afterAttempt attempt: Int) -> Duration {
        precondition(attempt >= 1)
        var pause = firstPause
        for _ in 1..<min(attempt, 64) {
            if pause >= maximumPause / 2 { return maximumPause }
            pause *= 2
        }
        return min(pause, maximumPause)
    }

    package func pause(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let ceiling = ceiling(afterAttempt: attempt)
        // In microseconds: 64 bits hold half a million years of them.
        let (seconds, attoseconds) = ceiling.components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        return .microseconds(Int64.random(in: 0...max(0, microseconds), using: &generator))
    }

    /// Tries until it works, fails in a way that another attempt cannot mend, the deadline would pass, or the task is
    /// cancelled; then throws the last error. Only errors whose disposition is `retry` are tried again: what may have
    /// happened already is for the caller to find out.
    package func run<Value: Sendable, C: Clock<Duration>>(
        clock: C, generator: some RandomNumberGenerator = SystemRandomNumberGenerator(),
        _ body: () async throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        var generator = generator
        let start = clock.now
        var attempt = 1
        while true {
            let failure: ObjectStoreError
            do { return try await body() } catch { failure = error }
            guard failure.disposition == .retry, !Task.isCancelled else { throw failure }
            let wish = failure.wishedPause
            let pause = (wish ?? .zero) + pause(afterAttempt: attempt, using: &generator)
            let wake = clock.now.advanced(by: pause)
            guard wake < start.advanced(by: wish == nil ? deadline : patience) else { throw failure }
            do { try await clock.sleep(until: wake, tolerance: nil) } catch { throw failure }
            attempt += 1
        }
    }
}

extension ObjectStoreError {
    /// How long the store wants to be left alone.
    fileprivate var wishedPause: Duration? {
        guard case .unavailable(.overloaded(let pause)) = self else { return nil }
        return pause
    }
}
