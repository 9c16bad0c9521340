// SPDX-License-Identifier: Apache-2.0
import ISCSIFrontend
import Messages
import TestSupport
import Testing
import Wire

struct OutstandingRequestsTests {
    private typealias Requests = OutstandingRequests<Int, String>
    /// As all cache managers of a frontend share them.
    private final class Numbers {
        var next: UInt64 = 1
        func draw() -> UInt64 {
            defer { next += 1 }
            return next
        }
    }

    private static let frontend = ServiceInstance(rawValue: 77)
    private let numbers = Numbers()
    private let second: UInt64 = 1_000_000_000

    private func request(
        _ operation: IORequest.Operation = .write, volume: UInt64 = 1, nexus: UInt64 = 1, payload: Int = 0
    ) -> IORequest {
        IORequest(
            volume: VolumeID(rawValue: volume), frontend: ServiceInstance(rawValue: 0), number: 0, lowestOpenNumber: 0,
            deadlineMilliseconds: 5, nexus: nexus, operation: operation, flags: [],
            sectors: SectorRange(start: 0, count: 1), payloadByteCount: UInt32(payload))
    }

    private func submit(
        _ requests: inout Requests, owner: Int, deadline: UInt64 = .max, volume: UInt64 = 1, nexus: UInt64 = 1
    ) {
        requests.submit(
            request(volume: volume, nexus: nexus), number: numbers.draw(), payload: "data \(owner)", owner: owner,
            deadline: deadline)
    }

    private func prepare(_ requests: inout Requests, _ batch: inout [Requests.Item]) {
        requests.prepareBatch(into: &batch, lowestOpenNumber: requests.lowestOpenNumber ?? numbers.next)
    }

    /// Everything that may be sent now, as numbers; all of it is taken.
    private func send(_ requests: inout Requests, at now: UInt64 = 0) -> [UInt64] {
        var numbers: [UInt64] = []
        var batch: [Requests.Item] = []
        while requests.hasSomethingToSend {
            prepare(&requests, &batch)
            numbers += batch.map(\.request.number)
            requests.batchWasSent(at: now)
        }
        return numbers
    }

    @Test func numbersRequestsAndTellsTheLowestOpenOne() throws {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        for owner in 0..<3 { submit(&requests, owner: owner) }
        var batch: [Requests.Item] = []
        prepare(&requests, &batch)
        #expect(batch.map(\.request.number) == [1, 2, 3])
        #expect(batch.allSatisfy { $0.request.lowestOpenNumber == 1 && $0.request.frontend == Self.frontend })
        #expect(batch.map(\.payload) == ["data 0", "data 1", "data 2"])
        requests.batchWasSent(at: 0)
        #expect(requests.complete(2)?.owner == 1)
        #expect(requests.lowestOpenNumber == 1)
        #expect(requests.complete(1)?.owner == 0)
        #expect(requests.lowestOpenNumber == 3)
        #expect(requests.complete(3)?.owner == 2)
        #expect(requests.lowestOpenNumber == nil)
        submit(&requests, owner: 9)
        prepare(&requests, &batch)
        #expect(batch.map(\.request.number) == [4] && batch[0].request.lowestOpenNumber == 4)
    }

    @Test func holdsEverythingWhileTheCacheManagerIsAway() {
        var requests = Requests(frontend: Self.frontend)
        for owner in 0..<5 { submit(&requests, owner: owner) }
        #expect(send(&requests) == [] && requests.heldCount == 5)
        requests.connected()
        #expect(send(&requests) == [1, 2, 3, 4, 5] && requests.heldCount == 0)
        #expect(requests.resentCount == 0)
    }

    @Test func sendsAgainInOriginalOrderBeforeAnythingNew() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        for owner in 0..<4 { submit(&requests, owner: owner) }
        #expect(send(&requests) == [1, 2, 3, 4])
        _ = requests.complete(2)
        requests.disconnected()
        submit(&requests, owner: 5)
        #expect(send(&requests) == [])
        #expect(requests.complete(3)?.owner == 2, "an answer that was on its way still counts")
        requests.connected()
        submit(&requests, owner: 6)
        #expect(send(&requests) == [1, 4, 5, 6])
        #expect(requests.resentCount == 2)
    }

    @Test func aBarrierThatStaysOpenKeepsNothingFromBeingForgotten() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        requests.submit(
            request(.nexusBarrier), number: numbers.draw(), payload: nil, owner: 1, deadline: .max)
        submit(&requests, owner: 2)
        #expect(send(&requests) == [1, 2])
        #expect(requests.lowestOpenNumber == 2)
        #expect(requests.operation(of: 1) == .nexusBarrier && requests.operation(of: 3) == nil)
        #expect(requests.complete(2)?.owner == 2)
        #expect(requests.lowestOpenNumber == nil && requests.openCount == 1)
    }

    @Test func manyBehindOneThatStaysOpenAreForgotten() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        submit(&requests, owner: 0)
        for owner in 1..<20_000 {
            numbers.next += 50
            submit(&requests, owner: owner)
            #expect(send(&requests).last == numbers.next - 1)
            #expect(requests.complete(numbers.next - 1)?.owner == owner)
        }
        #expect(requests.openCount == 1 && requests.lowestOpenNumber == 1)
        requests.disconnected()
        submit(&requests, owner: 7)
        requests.connected()
        #expect(send(&requests) == [1, numbers.next - 1])
    }

    @Test func deadlinesMoveToTheOtherClock() throws {
        var old = Requests(frontend: Self.frontend)
        var new = Requests(frontend: Self.frontend)
        submit(&old, owner: 1)
        new.add(old.take(of: VolumeID(rawValue: 1)), clockDifference: -3)
        new.connected()
        var batch: [Requests.Item] = []
        prepare(&new, &batch)
        #expect(batch.map(\.request.deadlineMilliseconds) == [2])
    }

    @Test func numbersOfOtherCacheManagersAreGaps() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        for owner in 0..<3 {
            numbers.next += 5
            submit(&requests, owner: owner)
        }
        #expect(send(&requests) == [6, 12, 18])
        #expect(requests.complete(7) == nil)
        #expect(requests.complete(12)?.owner == 1 && requests.openCount == 2)
        #expect(requests.complete(6)?.owner == 0 && requests.lowestOpenNumber == 18)
    }

    @Test(arguments: [true, false], [true, false])
    func requestsMoveWithTheirVolumeAndKeepTheirNumbers(_ isConnected: Bool, _ hasOwn: Bool) {
        var old = Requests(frontend: Self.frontend)
        var new = Requests(frontend: Self.frontend)
        old.connected()
        if isConnected { new.connected() }
        submit(&old, owner: 1, volume: 1)
        submit(&old, owner: 2, deadline: 7, volume: 2)
        if hasOwn { submit(&new, owner: 3, volume: 3) }
        submit(&old, owner: 4, volume: 2)
        #expect(send(&old) == [1, 2, hasOwn ? 4 : 3])
        if isConnected { #expect(send(&new) == (hasOwn ? [3] : [])) }
        old.disconnected()
        new.add(old.take(of: VolumeID(rawValue: 2)))
        #expect(old.openCount == 1 && new.openCount == (hasOwn ? 3 : 2))
        submit(&new, owner: 5, volume: 2)
        if !isConnected { new.connected() }
        #expect(send(&new) == (hasOwn ? (isConnected ? [2, 4, 5] : [2, 3, 4, 5]) : [2, 3, 4]))
        #expect(new.resentCount == 2, "it cannot be told whether they have been applied")
        old.connected()
        #expect(send(&old) == [1])
        #expect(new.complete(2)?.owner == 2)
        #expect(new.nextDeadline != nil)
    }

    @Test func aBatchThatWasNotTakenIsOfferedAgain() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        for owner in 0..<3 { submit(&requests, owner: owner) }
        var batch: [Requests.Item] = []
        prepare(&requests, &batch)
        _ = requests.drop { $0 == 1 }
        prepare(&requests, &batch)
        #expect(batch.map(\.request.number) == [1, 3])
        #expect(requests.complete(1) == nil, "nobody can have answered what was not sent")
    }

    @Test func repeatsWhatIsNotAnsweredEverMoreSeldom() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        submit(&requests, owner: 0)
        var sentAt: [UInt64] = []
        var now: UInt64 = 0
        for _ in 0..<6 {
            if send(&requests, at: now) == [1] { sentAt.append(now) }
            now = requests.nextDeadline ?? now
            requests.advance(to: now) { _ in Issue.record("expired") }
        }
        #expect(sentAt.map { $0 / second } == [0, 1, 3, 7, 15, 23])
    }

    @Test func repeatsGoBeforeWhatIsNew() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        submit(&requests, owner: 0)
        submit(&requests, owner: 1)
        #expect(send(&requests, at: 0) == [1, 2])
        _ = requests.complete(2)
        submit(&requests, owner: 2)
        requests.advance(to: second) { _ in Issue.record("expired") }
        #expect(send(&requests, at: second) == [1, 3])
    }

    @Test func givesUpAtTheDeadlineAndKnowsWhetherItWasSent() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        submit(&requests, owner: 0, deadline: 20 * second)
        #expect(send(&requests) == [1])
        requests.disconnected()
        submit(&requests, owner: 1, deadline: 21 * second)
        var closed: [(Int, Bool)] = []
        requests.advance(to: 20 * second - 1) { closed.append(($0.owner, $0.wasSent)) }
        #expect(closed.isEmpty)
        requests.advance(to: 21 * second) { closed.append(($0.owner, $0.wasSent)) }
        #expect(closed.map(\.0) == [0, 1] && closed.map(\.1) == [true, false])
        #expect(requests.openCount == 0 && requests.expiredCount == 2)
        #expect(requests.complete(1) == nil, "an answer that comes too late")
        requests.connected()
        #expect(send(&requests) == [])
        submit(&requests, owner: 2)
        #expect(send(&requests) == [3], "numbers are never used again")
        #expect(requests.lowestOpenNumber == 3)
    }

    @Test func forgetsTheRequestsOfAConnectionThatHasGone() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        for owner in 0..<4 { submit(&requests, owner: owner % 2) }
        #expect(send(&requests) == [1, 2, 3, 4])
        submit(&requests, owner: 0)
        #expect(requests.drop { $0 == 0 } == 2, "two of them may still be applied")
        requests.disconnected()
        requests.connected()
        #expect(send(&requests) == [2, 4])
        #expect(requests.openCount == 2)
    }

    @Test func whatABarrierSweptAwayIsSentAgainIfItIsStillWanted() {
        var requests = Requests(frontend: Self.frontend)
        requests.connected()
        for owner in 0..<3 { submit(&requests, owner: owner, nexus: 4) }
        submit(&requests, owner: 3, nexus: 5)
        #expect(send(&requests) == [1, 2, 3, 4])
        #expect(requests.drop { $0 == 1 } == 1)
        requests.repeatNow(nexus: 4)
        requests.repeatNow(nexus: 4)
        #expect(send(&requests) == [1, 3])
        requests.disconnected()
        requests.repeatNow(nexus: 4)
        #expect(send(&requests) == [])
    }

    @Test func boundsABatchByCountAndBytes() {
        var policy = Requests.Policy()
        (policy.batchRequestCount, policy.batchByteCount) = (3, 1000)
        var requests = Requests(frontend: Self.frontend, policy: policy)
        requests.connected()
        for (owner, size) in [100, 100, 100, 100, 950, 5000, 10].enumerated() {
            requests.submit(
                request(payload: size), number: numbers.draw(), payload: nil, owner: owner, deadline: .max)
        }
        var batches: [[UInt64]] = []
        var batch: [Requests.Item] = []
        while requests.hasSomethingToSend {
            prepare(&requests, &batch)
            batches.append(batch.map(\.request.number))
            requests.batchWasSent(at: 0)
        }
        #expect(batches == [[1, 2, 3], [4], [5], [6], [7]])
    }

    /// Against a cache manager that dies, loses messages and answers, and remembers what it did until it may forget it:
    /// every request is answered exactly once, and none comes again after it was said to be closed.
    @Test func everyRequestIsAnsweredExactlyOnce() {
        for seed in UInt64(0)..<300 {
            var random = SeededRandom(seed: seed)
            var requests = Requests(frontend: Self.frontend)
            var owner = CacheManagerModel()
            var answered: Set<Int> = []
            var submitted = 0
            var now: UInt64 = 0
            for round in 0..<300 {
                let isCalm = round >= 200
                now += UInt64(random.below(700_000_000))
                requests.advance(to: now) { _ in Issue.record("expired, seed \(seed)") }
                if !isCalm, random.oneIn(2) {
                    submitted += 1
                    requests.submit(
                        request(), number: UInt64(submitted), payload: "data \(submitted)", owner: submitted,
                        deadline: .max)
                }
                if !isCalm, random.oneIn(10) { requests.disconnected() }
                if !requests.isConnected, isCalm || random.oneIn(2) {
                    requests.connected()
                    owner.highestOfConnection = 0
                }
                var batch: [Requests.Item] = []
                let lowest = requests.lowestOpenNumber ?? UInt64(submitted + 1)
                requests.prepareBatch(into: &batch, lowestOpenNumber: lowest)
                if !batch.isEmpty, isCalm || !random.oneIn(8) {
                    requests.batchWasSent(at: now)
                    let isLost = !isCalm && random.oneIn(8)
                    if isLost, random.oneIn(2) { requests.disconnected() }
                    if isLost { owner.highestOfConnection = 1 }
                    if !isLost { for item in batch { owner.receive(item.request, payload: item.payload) } }
                }
                for number in owner.takeAnswers(&random, all: isCalm) {
                    guard let closed = requests.complete(number) else { continue }
                    #expect(UInt64(closed.owner) == number && answered.insert(closed.owner).inserted)
                }
            }
            #expect(answered.count == submitted && requests.openCount == 0, "seed \(seed)")
        }
    }

    private struct CacheManagerModel {
        /// Requests below this may be forgotten.
        private var lowestOpenNumber: UInt64 = 0
        private var answers: [UInt64] = []
        var highestOfConnection: UInt64 = 0

        mutating func receive(_ request: IORequest, payload: String?) {
            #expect(payload == "data \(request.number)")
            #expect(request.number >= lowestOpenNumber, "a request that was said to be closed")
            #expect(request.lowestOpenNumber >= lowestOpenNumber && request.lowestOpenNumber <= request.number)
            lowestOpenNumber = request.lowestOpenNumber
            // On a new connection the oldest come first; only a timed repeat may come behind a younger one.
            if highestOfConnection == 0 { #expect(request.number == request.lowestOpenNumber) }
            highestOfConnection = max(highestOfConnection, request.number)
            answers.append(request.number)
        }

        mutating func takeAnswers(_ random: inout SeededRandom, all: Bool) -> [UInt64] {
            defer { answers.removeAll() }
            return answers.filter { _ in all || !random.oneIn(6) }
        }
    }
}
