// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import TestSupport
import Testing
import Wire

struct UploadDispatcherTests {
    private let first = ServiceInstance(rawValue: 1)
    private let second = ServiceInstance(rawValue: 2)
    private let second1: UInt64 = 1_000_000_000

    @Test func jobsWaitUntilAnUploaderAnnouncesItself() {
        var dispatcher = UploadDispatcher()
        dispatcher.submitPut(1)
        let sent = dispatcher.sends()
        #expect(sent.isEmpty)
        #expect(dispatcher.queuedJobCount == 1)
        #expect(dispatcher.waitingReason?.contains("no uploader") == true)

        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 1), from: first, at: 0)
        let sentThen = dispatcher.sends()
        #expect(sentThen == [Sent(id: 1, to: 1)])
        #expect(dispatcher.waitingReason == nil)
        #expect(dispatcher.runningJobCount == 1)
    }

    @Test func readsHaveTheirOwnSlots() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 1), from: first, at: 0)
        dispatcher.submitPut(1)
        dispatcher.submitPut(2)
        dispatcher.submitGet(3)
        let sent = dispatcher.sends()
        #expect(sent == [Sent(id: 1, to: 1), Sent(id: 3, to: 1)])
        #expect(dispatcher.queuedJobCount == 1)
    }

    @Test func readsThatWaitedGoBeforeWritesThatWaited() {
        var dispatcher = UploadDispatcher()
        dispatcher.submitPut(1)
        dispatcher.submitGet(2)
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 1), from: first, at: 0)
        let sent = dispatcher.sends()
        #expect(sent == [Sent(id: 2, to: 1), Sent(id: 1, to: 1)])
    }

    @Test func theLeastLoadedUploaderIsChosen() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 2, freeReadSlots: 0), from: first, at: 0)
        dispatcher.ready(UploaderReady(freeWriteSlots: 3, freeReadSlots: 0), from: second, at: 0)
        for number in 1...5 { dispatcher.submitPut(UInt64(number)) }
        let targets = dispatcher.sends().map(\.to)
        #expect(targets.first == 2)
        #expect(targets.filter { $0 == 1 }.count == 2)
        #expect(targets.filter { $0 == 2 }.count == 3)
    }

    @Test func anAnnouncementThatCrossedJobsDoesNotOvercommit() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 2, freeReadSlots: 0), from: first, at: 0)
        dispatcher.submitPut(1)
        dispatcher.submitPut(2)
        // Sent before the two jobs arrived there: it still counts two free slots.
        dispatcher.ready(UploaderReady(freeWriteSlots: 2, freeReadSlots: 0), from: first, at: 1000)
        dispatcher.submitPut(3)
        let sent = dispatcher.sends()
        #expect(sent.count == 2)
        #expect(dispatcher.queuedJobCount == 1)
    }

    @Test func anUploaderMayGrowOnceNothingIsOnItsWay() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 0), from: first, at: 0)
        dispatcher.submitPut(1)
        dispatcher.submitPut(2)
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 0), from: first, at: second1)
        let sent = dispatcher.sends()
        #expect(sent.map(\.id) == [1, 2])
    }

    @Test func aResultEndsTheJobAndFreesItsSlot() throws {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 0), from: first, at: 0)
        dispatcher.submitPut(1)
        dispatcher.submitPut(2)
        let result = dispatcher.result(id: 1, from: first, at: 10)
        let job = try #require(result)
        #expect(job.owner == .control(1))
        let sent = dispatcher.sends()
        #expect(sent.map(\.id) == [1, 2])
        let answer = dispatcher.result(id: 1, from: first, at: 11)
        #expect(answer == nil)
    }

    @Test func aSilentUploaderLosesItsJobs() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 2, freeReadSlots: 1), from: first, at: 0)
        dispatcher.submitPack(1)
        dispatcher.submitPut(2)
        dispatcher.submitGet(3)
        _ = dispatcher.sends()
        #expect(dispatcher.nextDeadline == 5 * second1)
        dispatcher.advance(to: 5 * second1 - 1)
        #expect(dispatcher.uploaderCount == 1)
        dispatcher.advance(to: 5 * second1)
        let ended = dispatcher.outcomes()
        #expect(ended[1] == .unavailable(reason: "uploader lost"))
        #expect(ended[2] == .ambiguous(reason: "uploader lost"))
        #expect(ended[3] == nil)
        #expect(dispatcher.queuedJobCount == 1)
        #expect(dispatcher.uploaderCount == 0)

        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 1), from: second, at: 6 * second1)
        let sent = dispatcher.sends()
        #expect(sent == [Sent(id: 3, to: 2)])
    }

    @Test func aLostUploadersReadsGoToAnotherAtOnceAndItsWritesToTheirOwners() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 2, freeReadSlots: 2), from: first, at: 0)
        dispatcher.submitPack(1)
        dispatcher.submitPut(2)
        dispatcher.submitGet(3)
        dispatcher.submitGet(4)
        dispatcher.ready(UploaderReady(freeWriteSlots: 2, freeReadSlots: 2), from: second, at: 1)
        _ = dispatcher.sends()
        dispatcher.lost(first, at: 2)
        var actions: [UploadDispatcher.Action] = []
        dispatcher.takeActions(&actions)
        var ended: [UInt64: UploadResult.Outcome] = [:]
        var sent: [Sent] = []
        for action in actions {
            switch action {
            case .finish(let job, let outcome): ended[job.id] = outcome
            case .send(let job, let uploader): sent.append(Sent(id: job.id, to: uploader.rawValue))
            }
        }
        #expect(ended == [1: .unavailable(reason: "uploader lost"), 2: .ambiguous(reason: "uploader lost")])
        #expect(sent == [Sent(id: 3, to: 2), Sent(id: 4, to: 2)])
    }

    /// A wrong guess that it is gone costs a second try, nothing else.
    @Test func anUploaderTakenForLostComesBackWithItsNextAnnouncement() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 2), from: first, at: 0)
        dispatcher.submitGet(1)
        dispatcher.lost(first, at: 1)
        #expect(dispatcher.queuedJobCount == 1)
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: first, at: 2)
        let sent = dispatcher.sends()
        #expect(sent == [Sent(id: 1, to: 1), Sent(id: 1, to: 1)])
        let answer = dispatcher.result(id: 1, from: first, at: 3)
        #expect(answer != nil)
    }

    @Test func aLateResultOfALostUploaderIsIgnored() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: first, at: 0)
        dispatcher.submitGet(1)
        dispatcher.lost(first, at: 1)
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: second, at: 2)
        let answer = dispatcher.result(id: 1, from: first, at: 3)
        #expect(answer == nil)
        let answerThen = dispatcher.result(id: 1, from: second, at: 4)
        #expect(answerThen?.attempts == 2)
    }

    @Test func heartbeatsKeepAnUploaderAlive() {
        var dispatcher = UploadDispatcher()
        for second in 0..<20 {
            dispatcher.ready(
                UploaderReady(freeWriteSlots: 1, freeReadSlots: 1), from: first, at: UInt64(second) * second1)
            dispatcher.advance(to: UInt64(second) * second1 + second1 / 2)
        }
        #expect(dispatcher.uploaderCount == 1)
    }

    @Test func aJobThatIsNotAnsweredInTimeIsLostThoughItsUploaderLives() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 0), from: first, at: 0)
        dispatcher.submitPut(1, timeoutMilliseconds: 3000)
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 0), from: first, at: 4 * second1)
        dispatcher.advance(to: 5 * second1)
        let ended = dispatcher.outcomes()
        #expect(ended[1] == .ambiguous(reason: "the uploader did not answer in time"))
        #expect(dispatcher.lostJobCount == 1)
    }

    @Test func aReadIsGivenUpAfterSeveralLostUploaders() {
        var dispatcher = UploadDispatcher()
        dispatcher.submitGet(1)
        for attempt in 1...4 {
            let instance = ServiceInstance(rawValue: UInt64(attempt))
            dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: instance, at: 0)
            dispatcher.lost(instance, at: 1)
        }
        let ended = dispatcher.outcomes()
        #expect(ended[1] == .unavailable(reason: "uploader lost"))
        #expect(dispatcher.queuedJobCount == 0)
    }

    @Test func aForgottenJobIsNeitherSentNorFinished() {
        var dispatcher = UploadDispatcher()
        dispatcher.submitGet(1)
        dispatcher.submitGet(2)
        dispatcher.forget(1)
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 2), from: first, at: 0)
        let sent = dispatcher.sends()
        #expect(sent.map(\.id) == [2])
    }

    /// Whatever happens in whatever order, each job ends exactly once: by its result or by an outcome.
    @Test func everyJobEndsExactlyOnce() {
        for seed in 0..<50 {
            var random = SeededRandom(seed: UInt64(seed))
            var dispatcher = UploadDispatcher()
            var now: UInt64 = 0
            var submitted: UInt64 = 0
            var running: [UInt64: ServiceInstance] = [:]
            var ended: [UInt64: Int] = [:]
            func drain() {
                var actions: [UploadDispatcher.Action] = []
                dispatcher.takeActions(&actions)
                for action in actions {
                    switch action {
                    case .send(let job, let instance): running[job.id] = instance
                    case .finish(let job, _): ended[job.id, default: 0] += 1
                    }
                }
            }
            for _ in 0..<300 {
                let instance = ServiceInstance(rawValue: UInt64.random(in: 1...3, using: &random))
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    submitted += 1
                    dispatcher.submitGet(submitted)
                case 1:
                    submitted += 1
                    dispatcher.submitPack(submitted)
                case 2:
                    dispatcher.ready(
                        UploaderReady(
                            freeWriteSlots: UInt16.random(in: 0...3, using: &random),
                            freeReadSlots: UInt16.random(in: 0...3, using: &random)), from: instance, at: now)
                case 3:
                    if let (id, holder) = running.min(by: { $0.key < $1.key }) {
                        running[id] = nil
                        if dispatcher.result(id: id, from: holder, at: now) != nil { ended[id, default: 0] += 1 }
                    }
                case 4: if Int.random(in: 0..<4, using: &random) == 0 { dispatcher.lost(instance, at: now) }
                default:
                    now += UInt64.random(in: 0...3_000_000_000, using: &random)
                    dispatcher.advance(to: now)
                }
                drain()
            }
            // Every uploader goes; then a fresh one answers all that is left.
            for raw in 1...3 { dispatcher.lost(ServiceInstance(rawValue: UInt64(raw)), at: now) }
            drain()
            running = [:]
            let last = ServiceInstance(rawValue: 9)
            dispatcher.ready(UploaderReady(freeWriteSlots: 500, freeReadSlots: 500), from: last, at: now)
            drain()
            for (id, holder) in running where dispatcher.result(id: id, from: holder, at: now) != nil {
                ended[id, default: 0] += 1
            }
            #expect(ended.count == Int(submitted), "seed \(seed)")
            #expect(ended.values.allSatisfy { $0 == 1 }, "seed \(seed)")
        }
    }

    @Test func readsThatNobodyWaitsForLeaveHalfOfTheSlotsAlone() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 1, freeReadSlots: 4), from: first, at: 0)
        let background = (1...4).map { dispatcher.submitBackground(UInt64($0)) }
        let sent1 = dispatcher.sends()
        #expect(sent1.map(\.id) == Array(background[..<2]))
        // Whoever waits finds slots, and goes before what waited longer.
        dispatcher.submitGet(5)
        dispatcher.submitGet(6)
        dispatcher.submitGet(7)
        let sent2 = dispatcher.sends()
        #expect(sent2.map(\.id) == [5, 6])
        _ = dispatcher.result(id: background[0], from: first, at: 1)
        let sent3 = dispatcher.sends()
        #expect(sent3.map(\.id) == [7])
        for id in [5, 6, 7] as [UInt64] { _ = dispatcher.result(id: id, from: first, at: 2) }
        let sent4 = dispatcher.sends()
        #expect(sent4.map(\.id) == [background[2]])
    }

    @Test func aReadThatSomebodyWaitsForNowGoesFirst() {
        var dispatcher = UploadDispatcher()
        dispatcher.submitBackground(1)
        let wanted = dispatcher.submitBackground(2)
        dispatcher.hasten(wanted, at: 0)
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: first, at: 0)
        let sent5 = dispatcher.sends()
        #expect(sent5.map(\.id) == [wanted])
        #expect(dispatcher.queuedJobCount == 1)
    }

    @Test func backgroundReadsOfALostUploaderAreGivenToAnother() {
        var dispatcher = UploadDispatcher()
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: first, at: 0)
        let id = dispatcher.submitBackground(1)
        let sent6 = dispatcher.sends()
        #expect(sent6 == [Sent(id: id, to: 1)])
        dispatcher.lost(first, at: 1)
        dispatcher.ready(UploaderReady(freeWriteSlots: 0, freeReadSlots: 1), from: second, at: 2)
        let sent7 = dispatcher.sends()
        #expect(sent7 == [Sent(id: id, to: 2)])
    }
}

private struct Sent: Equatable {
    var id: UInt64
    var to: UInt64
}

extension UploadDispatcher {
    @discardableResult
    fileprivate mutating func submitBackground(_ owner: UInt64) -> UInt64 {
        submit(
            .getObject(key: ObjectKey("x")), payload: nil, timeoutMilliseconds: 60_000, owner: .control(owner),
            isBackground: true, at: 0)
    }
    fileprivate mutating func submitPut(_ owner: UInt64, timeoutMilliseconds: UInt32 = 60_000) {
        submit(
            .putObject(key: ObjectKey("volumes/x/HEAD"), precondition: .none), payload: nil,
            timeoutMilliseconds: timeoutMilliseconds, owner: .control(owner), at: 0)
    }
    fileprivate mutating func submitPack(_ owner: UInt64) {
        submit(
            .putPack(key: ObjectKey("volumes/x/data/00/p"), plan: []), payload: nil, timeoutMilliseconds: 60_000,
            owner: .control(owner), at: 0)
    }
    fileprivate mutating func submitGet(_ owner: UInt64) {
        submit(
            .getObject(key: ObjectKey("volumes/x/HEAD")), payload: nil, timeoutMilliseconds: 60_000,
            owner: .control(owner), at: 0)
    }
    fileprivate mutating func sends() -> [Sent] {
        var actions: [Action] = []
        takeActions(&actions)
        return actions.compactMap { action in
            guard case .send(let job, let instance) = action else { return nil }
            return Sent(id: job.id, to: instance.rawValue)
        }
    }
    fileprivate mutating func outcomes() -> [UInt64: UploadResult.Outcome] {
        var actions: [Action] = []
        takeActions(&actions)
        var outcomes: [UInt64: UploadResult.Outcome] = [:]
        for case .finish(let job, let outcome) in actions { outcomes[job.id] = outcome }
        return outcomes
    }
}
