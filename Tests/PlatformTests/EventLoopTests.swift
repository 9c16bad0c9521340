// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

@Suite struct EventLoopTests {
    /// A pipe that is closed with the test.
    private final class Pipe {
        let reader: Int32
        let writer: Int32
        init() throws {
            var ends: [Int32] = [-1, -1]
            guard unsafe pipe(&ends) == 0 else { throw SystemError.last("pipe") }
            (reader, writer) = (ends[0], ends[1])
        }
        func write(_ text: String) { _ = unsafe Glibc.write(writer, text, text.utf8.count) }
        func readByte() {
            var byte: UInt8 = 0
            _ = unsafe Glibc.read(reader, &byte, 1)
        }
        deinit {
            close(reader)
            close(writer)
        }
    }

    @Test func callsAgainAsLongAsDataWaits() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        var calls = 0
        _ = try loop.register(pipe.reader, .read) { ready in
            #expect(ready.contains(.readable))
            calls += 1
            pipe.readByte()
        }
        pipe.write("ab")
        for _ in 0..<3 { try loop.iterate(waitingAtMost: .zero) }
        #expect(calls == 2)
    }

    @Test func tellsOfHangUpWhateverTheInterest() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        var seen: EventLoop.Ready = []
        _ = try loop.register(pipe.reader, []) { seen.formUnion($0) }
        close(dup2(open("/dev/null"), pipe.writer))
        try loop.iterate(waitingAtMost: .zero)
        #expect(seen.contains(.hangup))
    }

    private func open(_ path: String) -> Int32 {
        (try? BlockFile(path: path, access: .readOnly)).map { dup($0.fileDescriptor) } ?? -1
    }

    @Test func changesInterest() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        var writable = 0
        let registration = try loop.register(pipe.writer, []) { if $0.contains(.writable) { writable += 1 } }
        try loop.iterate(waitingAtMost: .zero)
        #expect(writable == 0)
        try loop.setInterest(.write, for: registration)
        try loop.iterate(waitingAtMost: .zero)
        try loop.setInterest(.read, for: registration)
        try loop.iterate(waitingAtMost: .zero)
        #expect(writable == 1)
    }

    @Test func aHandlerThatEndsAnotherSuppressesItInTheSameIteration() throws {
        let loop = try EventLoop()
        let pipes = [try Pipe(), try Pipe()]
        var registrations: [EventLoop.Registration] = []
        var calls = 0
        for pipe in pipes {
            registrations.append(
                try loop.register(pipe.reader, .read) { _ in
                    calls += 1
                    for registration in registrations { loop.deregister(registration) }
                })
            pipe.write("x")
        }
        try loop.iterate(waitingAtMost: .zero)
        try loop.iterate(waitingAtMost: .zero)
        #expect(calls == 1)
    }

    @Test func aReusedSlotIsAnotherRegistration() throws {
        let loop = try EventLoop()
        let pipe = try Pipe()
        let first = try loop.register(pipe.reader, .read) { _ in Issue.record("ended") }
        loop.deregister(first)
        var calls = 0
        let second = try loop.register(pipe.reader, .read) { _ in calls += 1 }
        loop.deregister(first)
        pipe.write("x")
        try loop.iterate(waitingAtMost: .zero)
        #expect(first != second && calls == 1)
    }

    @Test func refusesADescriptorThatIsNotOpen() throws {
        let loop = try EventLoop()
        #expect(throws: SystemError(errorNumber: EBADF, call: "epoll_ctl")) {
            try loop.register(-1, .read) { _ in }
        }
    }

    @Test func timersFireInTheOrderOfTheirDeadlines() throws {
        for seed in UInt64(0)..<20 {
            var random = SeededRandom(seed: seed)
            let loop = try EventLoop()
            var fired: [Int] = []
            var expected: [(deadline: UInt64, order: Int, name: Int)] = []
            let timers = (0..<50).map { name in loop.makeTimer { fired.append(name) } }
            for order in 0..<200 {
                let name = random.below(timers.count)
                expected.removeAll { $0.name == name }
                if random.oneIn(4) {
                    timers[name].cancel()
                } else {
                    let deadline = UInt64(random.below(30))
                    timers[name].arm(at: MonotonicInstant(nanoseconds: deadline))
                    expected.append((deadline, order, name))
                }
            }
            expected.sort { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
            try loop.iterate(waitingAtMost: .zero)
            #expect(fired == expected.map(\.name), "seed \(seed)")
            #expect(timers.allSatisfy { !$0.isArmed })
        }
    }

    @Test func aTimerLeftArmedCanBeCancelledAfterTheLoopHasStopped() throws {
        let loop = try EventLoop()
        let timers = (0..<3).map { _ in loop.makeTimer {} }
        for timer in timers { timer.arm(after: .seconds(60)) }
        loop.stop()
        try loop.run()
        for timer in timers {
            #expect(!timer.isArmed)
            timer.cancel()
        }
    }

    @Test func waitsForATimerAndNotLonger() throws {
        let loop = try EventLoop()
        var isDue = false
        loop.schedule(after: .milliseconds(2)) { isDue = true }
        let start = MonotonicClock.now()
        while !isDue { try loop.iterate(waitingAtMost: .seconds(10)) }
        #expect(MonotonicClock.now().duration(since: start) >= .milliseconds(2))
    }

    @Test func aTimerMayArmItselfAgain() throws {
        let loop = try EventLoop()
        var count = 0
        var timer: LoopTimer?
        timer = loop.makeTimer {
            count += 1
            if count < 3 { timer?.arm(at: MonotonicInstant(nanoseconds: 1)) }
        }
        timer?.arm(at: MonotonicInstant(nanoseconds: 1))
        try loop.iterate(waitingAtMost: .zero)
        #expect(count == 3)
        timer = nil
    }

    @Test func hooksComeLastAndARequestedIterationDoesNotWait() throws {
        let loop = try EventLoop()
        var order: [String] = []
        loop.addEndOfIterationHook { order.append("first hook") }
        loop.addEndOfIterationHook {
            order.append("second hook")
            loop.requestIteration()
        }
        let box = Mailbox<String>(loop: loop, capacity: 4) { order.append($0) }
        loop.schedule(after: .zero) { order.append("timer") }
        #expect(box.post("mail"))
        try loop.iterate(waitingAtMost: .seconds(10))
        #expect(order == ["timer", "mail", "first hook", "second hook"])
        let start = MonotonicClock.now()
        try loop.iterate(waitingAtMost: .seconds(10))
        #expect(MonotonicClock.now().duration(since: start) < .seconds(5))
    }

    @Test func stopEndsARunningLoopFromAnotherThread() async throws {
        let loop = try EventLoop()
        let thread = try IOThread(name: "loop") {
            #expect(throws: Never.self) { try loop.run() }
        }
        #expect(!loop.isOnLoop)
        loop.stop()
        await thread.finished()
    }
}
