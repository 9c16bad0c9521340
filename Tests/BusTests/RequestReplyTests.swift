// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import Platform
import Testing

@Suite struct RequestReplyTests {
    private func at(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000 + milliseconds * 1_000_000)
    }

    private func request(deadline milliseconds: UInt64 = 10_000, _ body: UInt8 = 1) -> RequestReply.Request {
        .init(kind: .volumeList, body: [body], deadline: at(milliseconds))
    }

    private func sent(_ actions: [RequestReply.Action]) -> [UInt64] {
        actions.compactMap { if case .send(let number, _, _, _) = $0 { number } else { nil } }
    }

    private func completed(_ actions: [RequestReply.Action]) -> [UInt64: RequestReply.Answer] {
        var answers: [UInt64: RequestReply.Answer] = [:]
        for case .complete(let number, let answer) in actions { answers[number] = answer }
        return answers
    }

    @Test func sendsOnceConnectedAndCompletesWithTheReply() {
        var machine = RequestReply(peerName: "x")
        machine.submit(request(), number: 1, now: at(0))
        #expect(machine.takeActions(now: at(0)).isEmpty)
        machine.connected(now: at(10))
        #expect(
            machine.takeActions(now: at(10))
                == [.send(number: 1, kind: .volumeList, body: [1], timeoutMilliseconds: 9990)])
        let isOpen = machine.received(.reply([7]), number: 1, kind: .volumeList, now: at(11))
        #expect(isOpen)
        #expect(machine.takeActions(now: at(11)) == [.complete(number: 1, .reply([7]))])
        #expect(machine.isEmpty && machine.nextDeadline == nil)
    }

    @Test func repeatsWithTheSameNumberLessAndLessOften() {
        var machine = RequestReply(peerName: "x")
        machine.connected(now: at(0))
        machine.submit(request(deadline: 60_000), number: 5, now: at(0))
        var times: [UInt64] = []
        for time in stride(from: UInt64(0), through: 12_000, by: 100)
        where sent(machine.takeActions(now: at(time))) == [5] { times.append(time) }
        #expect(times == [0, 500, 1500, 3500, 7500, 11_500])
    }

    @Test func sendsEverythingAgainInOrderAfterANewConnection() {
        var machine = RequestReply(peerName: "x")
        machine.connected(now: at(0))
        for number in [UInt64(3), 1, 2] { machine.submit(request(), number: number, now: at(0)) }
        #expect(sent(machine.takeActions(now: at(0))) == [1, 2, 3])
        machine.received(.reply([]), number: 2, kind: .volumeList, now: at(1))
        machine.disconnected()
        #expect(completed(machine.takeActions(now: at(600))).keys.sorted() == [2])
        #expect(machine.lowestOpenNumber == 1)
        machine.connected(now: at(700))
        #expect(sent(machine.takeActions(now: at(700))) == [1, 3])
    }

    @Test func givesUpAtTheDeadlineWithTheReason() {
        var machine = RequestReply(peerName: "ipc:///cache")
        func reason(_ prepare: (inout RequestReply) -> Void) -> String {
            prepare(&machine)
            guard case .fault(let fault) = completed(machine.takeActions(now: at(100)))[1] else { return "" }
            #expect(fault.code == .deadlineExceeded && fault.message.contains("volumeList from ipc:///cache"))
            return fault.message
        }
        #expect(reason { $0.submit(request(deadline: 100), number: 1, now: at(0)) }.contains("no connection"))
        #expect(
            reason { machine in
                machine.connected(now: at(0))
                machine.submit(request(deadline: 100), number: 1, now: at(0))
                _ = machine.takeActions(now: at(0))
            }.contains("connected but did not answer"))
        #expect(
            reason { machine in
                machine.submit(request(deadline: 100), number: 1, now: at(0))
                _ = machine.takeActions(now: at(0))
                machine.notSent(number: 1, now: at(0))
            }.contains("takes no more messages"))
        #expect(
            reason { machine in
                machine.submit(request(deadline: 100), number: 1, now: at(0))
                machine.received(.fault(BusFault(.busy, "full")), number: 1, kind: .fault, now: at(1))
            }.contains("busy: full"))
        #expect(
            reason { machine in
                machine.submit(request(deadline: 100), number: 1, now: at(0))
                machine.disconnected()
            }.contains("connection was lost"))
    }

    @Test func aBusyServerIsAskedAgainSoon() {
        var machine = RequestReply(peerName: "x")
        machine.connected(now: at(0))
        machine.submit(request(), number: 1, now: at(0))
        _ = machine.takeActions(now: at(0))
        machine.received(.fault(BusFault(.busy, "later")), number: 1, kind: .fault, now: at(10))
        #expect(machine.nextDeadline == at(60))
        #expect(sent(machine.takeActions(now: at(60))) == [1])
    }

    @Test func otherFaultsCompleteTheRequest() {
        var machine = RequestReply(peerName: "x")
        machine.connected(now: at(0))
        machine.submit(request(), number: 1, now: at(0))
        let fault = BusFault(.nameTaken, "db")
        machine.received(.fault(fault), number: 1, kind: .fault, now: at(1))
        #expect(completed(machine.takeActions(now: at(1))) == [1: .fault(fault)])
    }

    @Test func ignoresLateRepeatedAndMismatchedAnswers() {
        var machine = RequestReply(peerName: "x")
        machine.connected(now: at(0))
        machine.submit(request(), number: 1, now: at(0))
        let isTaken = [
            machine.received(.reply([]), number: 2, kind: .volumeList, now: at(1)),
            machine.received(.reply([]), number: 1, kind: .volumeCut, now: at(1)),
            machine.received(.reply([]), number: 1, kind: .volumeList, now: at(1)),
            machine.received(.reply([9]), number: 1, kind: .volumeList, now: at(2)),
        ]
        #expect(isTaken == [false, false, true, false])
        #expect(machine.takeActions(now: at(2)) == [.complete(number: 1, .reply([]))])
    }

    @Test func aRefusedPeerFailsAllAndACancelledRequestOnlyItself() {
        var machine = RequestReply(peerName: "x")
        for number in UInt64(1)...3 { machine.submit(request(), number: number, now: at(0)) }
        machine.cancel(2)
        machine.cancel(9)
        let fault = BusFault(.unsupportedVersion, "no")
        machine.failAll(fault)
        let answers = completed(machine.takeActions(now: at(0)))
        #expect(answers[1] == .fault(fault) && answers[3] == .fault(fault))
        #expect(answers[2] == .fault(BusFault(.cancelled, "the request was cancelled")))
    }
}
