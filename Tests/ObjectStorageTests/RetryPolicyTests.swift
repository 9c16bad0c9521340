// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Synchronization
import TestSupport
import Testing
import Wire

struct RetryPolicyTests {
    private let policy = RetryPolicy(
        firstPause: .milliseconds(100), maximumPause: .seconds(2), deadline: .seconds(30))

    @Test func pausesDoubleUpToTheMaximum() {
        #expect(policy.ceiling(afterAttempt: 1) == .milliseconds(100))
        #expect(policy.ceiling(afterAttempt: 2) == .milliseconds(200))
        #expect(policy.ceiling(afterAttempt: 5) == .milliseconds(1600))
        #expect(policy.ceiling(afterAttempt: 6) == .seconds(2))
        #expect(policy.ceiling(afterAttempt: 1_000_000) == .seconds(2))
    }

    @Test func jitterCoversTheWholePause() {
        var random = SeededRandom(seed: 3)
        let pauses = (0..<1000).map { _ in policy.pause(afterAttempt: 3, using: &random) }
        #expect(pauses.allSatisfy { $0 >= .zero && $0 <= .milliseconds(400) })
        #expect(pauses.contains { $0 < .milliseconds(40) })
        #expect(pauses.contains { $0 > .milliseconds(360) })
    }

    @Test func triesAgainUntilItWorks() async throws {
        let clock = SkippingClock()
        let attempts = Mutex(0)
        let value = try await policy.run(clock: clock, generator: SeededRandom(seed: 1)) {
            () throws(ObjectStoreError) in
            let attempt = attempts.withLock { count in
                count += 1
                return count
            }
            if attempt < 5 { throw .unavailable(.overloaded()) }
            return attempt
        }
        #expect(value == 5)
        #expect(clock.now.offset > .zero && clock.now.offset < .seconds(2))
    }

    @Test func asksNoEarlierThanTheStoreWishesAndGivesUpWhenThatIsTooLate() async throws {
        let policy = RetryPolicy(firstPause: .milliseconds(1), deadline: .seconds(1), patience: .seconds(5))
        for (wish, attempts) in [(2, 3), (6, 1)] {
            let clock = SkippingClock()
            let times = Mutex<[Duration]>([])
            let error = ObjectStoreError.unavailable(.overloaded(retryAfter: .seconds(wish)))
            await #expect(throws: error) {
                try await policy.run(clock: clock, generator: SeededRandom(seed: 4)) { () throws(ObjectStoreError) in
                    times.withLock { $0.append(clock.now.offset) }
                    throw error
                }
            }
            let asked = times.withLock { $0 }
            #expect(asked.count == attempts)
            for (earlier, later) in zip(asked, asked.dropFirst()) { #expect(later - earlier >= .seconds(wish)) }
        }
    }

    @Test(arguments: [
        ObjectStoreError.preconditionFailed(ObjectKey("a")), .notFound(ObjectKey("a")),
        .ambiguous(ObjectKey("a"), .replyLost), .corrupt(ObjectKey("a"), .short(expected: 2, found: 1)),
        .refused(.readOnlyAccess), .invalidKey("", .empty),
    ])
    func neverRepeatsWhatAnotherAttemptCannotMend(_ error: ObjectStoreError) async {
        let attempts = Mutex(0)
        await #expect(throws: error) {
            try await policy.run(clock: SkippingClock()) { () throws(ObjectStoreError) in
                attempts.withLock { $0 += 1 }
                throw error
            }
        }
        #expect(attempts.withLock { $0 } == 1)
    }

    @Test func givesUpBeforeTheDeadlineWithTheLastError() async {
        let clock = SkippingClock()
        let attempts = Mutex(0)
        await #expect(throws: ObjectStoreError.conflict(ObjectKey("a"))) {
            try await policy.run(clock: clock, generator: SeededRandom(seed: 2)) { () throws(ObjectStoreError) in
                attempts.withLock { $0 += 1 }
                throw .conflict(ObjectKey("a"))
            }
        }
        #expect(clock.now.offset < .seconds(30))
        #expect(attempts.withLock { $0 } > 10)
    }

    @Test func stopsWhenItsTaskIsCancelled() async {
        let attempts = Mutex(0)
        let policy = policy
        let task = Task {
            try await policy.run(clock: SkippingClock()) { () throws(ObjectStoreError) in
                attempts.withLock { $0 += 1 }
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                throw .unavailable(.overloaded())
            }
        }
        await #expect(throws: ObjectStoreError.unavailable(.overloaded())) { try await task.value }
        #expect(attempts.withLock { $0 } == 1)
    }
}

/// A clock on which nobody waits: a sleep ends at once, and the time is then what it was to end at.
final class SkippingClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }
    private let time = Mutex(Instant(offset: .zero))
    var now: Instant { time.withLock { $0 } }
    var minimumResolution: Duration { .nanoseconds(1) }
    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        time.withLock { $0 = max($0, deadline) }
    }
}
