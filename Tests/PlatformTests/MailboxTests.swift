// SPDX-License-Identifier: Apache-2.0
import Platform
import Synchronization
import Testing

@Suite struct MailboxTests {
    /// What a loop's thread leaves for the test to look at.
    private final class Log: Sendable {
        let values = Mutex<[Int]>([])
    }

    @Test func handsOverFromManyThreadsInEachThreadsOrder() async throws {
        let loop = try EventLoop()
        let log = Log()
        let box = Mailbox<Int>(loop: loop, capacity: 10_000) { value in
            let count = log.values.withLock { values in
                values.append(value)
                return values.count
            }
            if count == 4000 { loop.stop() }
        }
        let runner = try IOThread(name: "loop") { #expect(throws: Never.self) { try loop.run() } }
        let senders = try (0..<4).map { sender in
            try IOThread(name: "sender") {
                for index in 0..<1000 { #expect(box.post(sender * 1000 + index)) }
            }
        }
        for sender in senders { await sender.finished() }
        await runner.finished()
        let values = log.values.withLock { $0 }
        #expect(values.count == 4000)
        for sender in 0..<4 {
            let own = values.filter { $0 / 1000 == sender }
            #expect(own == own.sorted())
        }
    }

    @Test func refusesWhenFullOrClosed() throws {
        let loop = try EventLoop()
        let log = Log()
        let box = Mailbox<Int>(loop: loop, capacity: 2) { value in log.values.withLock { $0.append(value) } }
        #expect(box.post(1))
        #expect(box.post(2))
        #expect(!box.post(3))
        try loop.iterate(waitingAtMost: .zero)
        #expect(log.values.withLock { $0 } == [1, 2])
        #expect(box.post(4))
        #expect(box.close() == [4])
        #expect(!box.post(5))
        try loop.iterate(waitingAtMost: .zero)
        #expect(log.values.withLock { $0 } == [1, 2])
    }

    @Test func postingFromItsOwnHandlerIsNotLost() throws {
        let loop = try EventLoop()
        let log = Log()
        var box: Mailbox<Int>?
        box = Mailbox<Int>(loop: loop, capacity: 2) { value in
            log.values.withLock { $0.append(value) }
            if value < 5 { #expect(box?.post(value + 1) == true) }
        }
        #expect(box?.post(0) == true)
        for _ in 0..<6 { try loop.iterate(waitingAtMost: .seconds(1)) }
        #expect(log.values.withLock { $0 } == [0, 1, 2, 3, 4, 5])
        box = nil
    }
}
