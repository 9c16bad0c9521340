// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A clock's reading where only the distance matters.
struct TestInstant: InstantProtocol {
    var offset: Duration = .zero
    func advanced(by duration: Duration) -> TestInstant { TestInstant(offset: offset + duration) }
    func duration(to other: TestInstant) -> Duration { other.offset - offset }
    static func < (left: TestInstant, right: TestInstant) -> Bool { left.offset < right.offset }
}

/// Time stands still: a sleep ends only by cancellation.
struct StoppedClock: Clock {
    var now: TestInstant { TestInstant() }
    var minimumResolution: Duration { .nanoseconds(1) }
    func sleep(until deadline: TestInstant, tolerance: Duration?) async throws {
        while !Task.isCancelled { await Task.yield() }
        throw CancellationError()
    }
}

/// Every sleep is over at once.
struct RunOutClock: Clock {
    var now: TestInstant { TestInstant() }
    var minimumResolution: Duration { .nanoseconds(1) }
    func sleep(until deadline: TestInstant, tolerance: Duration?) async throws {}
}

/// Sleeps end when they are released.
final class HeldClock: Clock {
    private let isReleased = Atomic<Bool>(false)
    var now: TestInstant { TestInstant() }
    var minimumResolution: Duration { .nanoseconds(1) }
    func release() { isReleased.store(true, ordering: .sequentiallyConsistent) }
    func sleep(until deadline: TestInstant, tolerance: Duration?) async throws {
        while !isReleased.load(ordering: .sequentiallyConsistent) {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}
