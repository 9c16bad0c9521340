// SPDX-License-Identifier: Apache-2.0
import Platform
import Synchronization
import Testing

@Suite struct ThreadTests {
    @Test func joinWaitsForTheBody() throws {
        let queue = BlockingQueue<Int>(capacity: 1)
        let done = Mutex<Bool>.Reference(false)
        let thread = try IOThread(name: "a name longer than fifteen bytes") {
            #expect(queue.pop() == 5)
            done.value.withLock { $0 = true }
        }
        #expect(queue.push(5))
        thread.join()
        #expect(done.value.withLock { $0 })
        thread.join()
    }

    @Test func severalWaitForOneThread() async throws {
        let queue = BlockingQueue<Int>(capacity: 1)
        let thread = try IOThread(name: "waited for") { _ = queue.pop() }
        await withTaskGroup { group in
            for _ in 0..<4 { group.addTask { await thread.finished() } }
            #expect(queue.push(1))
        }
        await thread.finished()
    }

    @Test func aQueueIsBoundedAndDrainsAfterItIsClosed() {
        let queue = BlockingQueue<Int>(capacity: 600)
        for number in 0..<600 { #expect(queue.push(number)) }
        #expect(!queue.push(600))
        for number in 0..<300 { #expect(queue.pop() == number) }
        #expect(queue.push(600))
        queue.close()
        #expect(!queue.push(601))
        for number in 300...600 { #expect(queue.pop() == number) }
        #expect(queue.pop() == nil)
    }

    @Test func instantsSaturate() {
        let late = MonotonicInstant(nanoseconds: .max - 5)
        #expect(late.advanced(by: .seconds(1)).nanoseconds == .max)
        #expect(MonotonicInstant(nanoseconds: 5).advanced(by: .seconds(-1)).nanoseconds == 0)
        #expect(MonotonicInstant(nanoseconds: 5).advanced(by: .nanoseconds(7)).nanoseconds == 12)
        #expect(MonotonicInstant(nanoseconds: 5).duration(since: late) == .zero)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.microseconds(1500).wholeMillisecondsRoundedUp == 2)
        #expect(Duration.milliseconds(2).wholeMillisecondsRoundedUp == 2)
        #expect(Duration.seconds(-1).wholeMillisecondsRoundedUp == 0)
    }

    @Test func clocksRun() {
        let first = MonotonicClock.now()
        #expect(MonotonicClock.now() >= first)
        // 2024-01-01; a machine with an older clock cannot check certificates either.
        #expect(WallClock.millisecondsNow() > 1_704_067_200_000)
    }

    @Test func randomIdsDoNotRepeat() {
        #expect(Set((0..<1000).map { _ in Randomness.nonzeroUInt64() }).count == 1000)
        #expect(Randomness.bytes(count: 32).count == 32 && Randomness.bytes(count: 32) != Randomness.bytes(count: 32))
    }
}
