// SPDX-License-Identifier: Apache-2.0
import Platform
import Synchronization
import Testing

@Suite struct DiskExecutorTests {
    @Test func completionsComeBackOnTheLoop() throws {
        let loop = try EventLoop()
        let executor = try DiskExecutor(threadCount: 2)
        let port = DiskPort(executor: executor, loop: loop)
        var results: [Int] = []
        for number in 0..<100 {
            let isTaken = port.submit({ number * 2 }, completion: { results.append($0) })
            #expect(isTaken)
        }
        #expect(port.operationsInFlight == 100)
        while results.count < 100 { try loop.iterate(waitingAtMost: .seconds(5)) }
        #expect(results.sorted() == (0..<100).map { $0 * 2 })
        #expect(port.operationsInFlight == 0)
        executor.shutDown()
    }

    @Test func oneThreadKeepsTheOrder() throws {
        let loop = try EventLoop()
        let executor = try DiskExecutor(threadCount: 1)
        let port = DiskPort(executor: executor, loop: loop)
        var results: [Int] = []
        for number in 0..<50 {
            let isTaken = port.submit({ number }, completion: { results.append($0) })
            #expect(isTaken)
        }
        executor.shutDown()
        while results.count < 50 { try loop.iterate(waitingAtMost: .seconds(5)) }
        #expect(results == Array(0..<50))
        let isTaken = port.submit({ 1 }, completion: { _ in Issue.record("refused operations have no completion") })
        #expect(!isTaken)
    }

    @Test func refusesMoreThanItsCapacity() throws {
        let loop = try EventLoop()
        let executor = try DiskExecutor(threadCount: 1)
        let port = DiskPort(executor: executor, loop: loop, capacity: 3)
        let gate = BlockingQueue<Int>(capacity: 8)
        var completed = 0
        for _ in 0..<3 {
            let isTaken = port.submit({ gate.pop() }, completion: { _ in completed += 1 })
            #expect(isTaken)
        }
        let isFourthTaken = port.submit({ 0 }, completion: { _ in Issue.record("not taken") })
        #expect(!isFourthTaken)
        for _ in 0..<3 { #expect(gate.push(1)) }
        while completed < 3 { try loop.iterate(waitingAtMost: .seconds(5)) }
        let isLastTaken = port.submit({ 0 }, completion: { _ in completed += 1 })
        #expect(isLastTaken)
        executor.shutDown()
        try loop.iterate(waitingAtMost: .seconds(5))
        #expect(completed == 4)
    }

    private final class OnLoopOnly {
        let released: Mutex<Bool>.Reference
        init(_ released: Mutex<Bool>.Reference) { self.released = released }
        deinit { released.value.withLock { $0 = true } }
    }

    @Test func whatACompletionHoldsIsReleasedOnTheLoop() throws {
        let loop = try EventLoop()
        let executor = try DiskExecutor(threadCount: 1)
        let port = DiskPort(executor: executor, loop: loop)
        let released = Mutex<Bool>.Reference(false)
        var isDone = false
        do {
            let object = OnLoopOnly(released)
            let isTaken = port.submit({ 0 }, completion: { _ in withExtendedLifetime(object) { isDone = true } })
            #expect(isTaken)
        }
        executor.shutDown()
        #expect(!released.value.withLock { $0 })
        while !isDone { try loop.iterate(waitingAtMost: .seconds(5)) }
        #expect(released.value.withLock { $0 })
    }
}

extension Mutex where Value == Bool {
    /// A mutex to share between a test and an object's end.
    final class Reference: Sendable {
        let value: Mutex<Bool>
        init(_ initial: Bool) { value = Mutex(initial) }
    }
}
