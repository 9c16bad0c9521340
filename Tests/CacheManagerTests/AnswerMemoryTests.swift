// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Testing
import Wire

struct AnswerMemoryTests {
    private func key(_ request: UInt64, sender: UInt64 = 1) -> AnswerMemory<String>.Key {
        AnswerMemory<String>.Key(sender: ServiceInstance(rawValue: sender), request: request)
    }

    @Test func aRepeatOfARunningRequestIsNotDoneAgain() {
        var memory = AnswerMemory<String>(capacity: 4)
        guard case .new = memory.begin(key(1)) else { return #expect(Bool(false), "first time must be new") }
        guard case .running = memory.begin(key(1)) else { return #expect(Bool(false), "second time must run") }
    }

    @Test func aRepeatGetsTheSameAnswer() {
        var memory = AnswerMemory<String>(capacity: 4)
        _ = memory.begin(key(1))
        memory.remember("done", for: key(1))
        guard case .answered("done") = memory.begin(key(1)) else { return #expect(Bool(false), "must be answered") }
    }

    @Test func theSameNumberOfAnotherSenderIsAnotherRequest() {
        var memory = AnswerMemory<String>(capacity: 4)
        _ = memory.begin(key(1))
        memory.remember("done", for: key(1))
        guard case .new = memory.begin(key(1, sender: 2)) else { return #expect(Bool(false), "must be new") }
    }

    @Test func theOldestAnswersGoFirstAndRunningRequestsStay() {
        var memory = AnswerMemory<String>(capacity: 2)
        _ = memory.begin(key(1))
        for number in 2...5 as ClosedRange<UInt64> {
            _ = memory.begin(key(number))
            memory.remember("\(number)", for: key(number))
        }
        #expect(memory.count == 3)
        guard case .running = memory.begin(key(1)) else { return #expect(Bool(false), "must still run") }
        guard case .answered("5") = memory.begin(key(5)) else { return #expect(Bool(false), "newest must stay") }
        guard case .new = memory.begin(key(2)) else { return #expect(Bool(false), "oldest must be gone") }
    }

    @Test func answersBelowTheLowestOpenNumberAreForgottenAndNotDoneAgain() {
        var memory = AnswerMemory<String>(capacity: 8)
        for number in 1...3 as ClosedRange<UInt64> {
            _ = memory.begin(key(number))
            memory.remember("\(number)", for: key(number))
        }
        guard case .new = memory.begin(key(4), lowestOpen: 3) else { return #expect(Bool(false), "must be new") }
        #expect(memory.count == 2)
        guard case .stale = memory.begin(key(1)) else { return #expect(Bool(false), "must be stale") }
        guard case .answered("3") = memory.begin(key(3)) else { return #expect(Bool(false), "must be answered") }
        guard case .new = memory.begin(key(1, sender: 2)) else { return #expect(Bool(false), "must be new") }
    }
}
