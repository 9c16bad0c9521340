// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform
import Testing
import Wire

// `AnswerTable` is internal: nothing outside the bus may keep answers for it.
@testable import Bus

@Suite struct TableTests {
    private func caller(_ number: UInt32) -> PeerIdentity {
        PeerIdentity(instance: ServiceInstance(rawValue: 1), ordinal: number)
    }
    private func at(_ nanoseconds: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: nanoseconds) }

    @Test func recognisesRepeatsInEveryState() {
        var table = AnswerTable()
        #expect(table.admit(5, from: caller(1), lowestOpenNumber: 5, now: at(1)) == .execute)
        #expect(table.admit(5, from: caller(1), lowestOpenNumber: 5, now: at(2)) == .inProgress)
        #expect(table.admit(5, from: caller(2), lowestOpenNumber: 5, now: at(2)) == .execute)
        table.complete(5, from: caller(1), kind: .volumeList, body: [1], keep: true)
        #expect(table.admit(5, from: caller(1), lowestOpenNumber: 5, now: at(3)) == .answered(.volumeList, [1]))
        #expect(table.admit(6, from: caller(1), lowestOpenNumber: 6, now: at(4)) == .execute)
        #expect(table.admit(5, from: caller(1), lowestOpenNumber: 5, now: at(5)) == .stale)
        #expect(table.requestsInProgress == 2)
    }

    @Test func doesNotKeepWhatARepeatShouldNotGet() {
        var table = AnswerTable()
        #expect(table.admit(1, from: caller(1), lowestOpenNumber: 1, now: at(1)) == .execute)
        table.complete(1, from: caller(1), kind: .fault, body: [], keep: false)
        #expect(table.admit(1, from: caller(1), lowestOpenNumber: 1, now: at(2)) == .execute)
    }

    @Test func aRequestBelowItsOwnLowestOpenNumberIsStillAdmitted() {
        var table = AnswerTable()
        #expect(table.admit(1, from: caller(1), lowestOpenNumber: 100, now: at(1)) == .execute)
    }

    @Test func boundsRequestsInProgressAnswersAndCallers() {
        var table = AnswerTable(
            limits: .init(requestsInProgress: 2, callers: 2, answersPerCaller: 2, answerByteCountPerCaller: 10))
        #expect(table.admit(1, from: caller(1), lowestOpenNumber: 1, now: at(1)) == .execute)
        #expect(table.admit(2, from: caller(1), lowestOpenNumber: 1, now: at(1)) == .execute)
        #expect(table.admit(3, from: caller(1), lowestOpenNumber: 1, now: at(1)) == .full)
        table.complete(1, from: caller(1), kind: .hello, body: [1, 2, 3, 4], keep: true)
        table.complete(2, from: caller(1), kind: .hello, body: [1, 2, 3, 4, 5, 6, 7], keep: true)
        // The oldest answer made room for the newest.
        #expect(
            table.admit(2, from: caller(1), lowestOpenNumber: 1, now: at(2))
                == .answered(.hello, [1, 2, 3, 4, 5, 6, 7]))
        #expect(table.admit(1, from: caller(1), lowestOpenNumber: 1, now: at(2)) == .execute)
        // The callers that wait for something stay, the idle one goes.
        #expect(table.admit(1, from: caller(2), lowestOpenNumber: 1, now: at(3)) == .execute)
        table.complete(1, from: caller(2), kind: .hello, body: [], keep: true)
        #expect(table.admit(1, from: caller(3), lowestOpenNumber: 1, now: at(4)) == .execute)
        #expect(table.admit(1, from: caller(1), lowestOpenNumber: 1, now: at(5)) == .inProgress)
        table.complete(1, from: caller(3), kind: .hello, body: [], keep: true)
        #expect(table.admit(1, from: caller(2), lowestOpenNumber: 1, now: at(6)) == .execute)
    }

    @Test func peersAreKnownByNameAndInstanceAndBounded() {
        var table = PeerTable(capacity: 2)
        let instance = ServiceInstance(rawValue: 9)
        let peer = BusPeer(service: .cli, instance: instance, softwareVersion: "1")
        for number in UInt32(1)...2 { table.enter(caller(number), peer, now: at(UInt64(number))) }
        #expect(table.seen(caller(1), as: instance, now: at(3)) == peer)
        #expect(table.seen(caller(1), as: ServiceInstance(rawValue: 8), now: at(3)) == nil)
        table.enter(caller(3), peer, now: at(4))
        #expect(table.count == 2 && table[caller(2)] == nil && table[caller(1)] == peer)
        table.remove(caller(1))
        #expect(table.identities == [caller(3)] && table.lastSeen(caller(3)) == at(4))
    }

    @Test func identitiesKeepTheirBytes() {
        let bytes = (1...32).map { UInt8($0) }
        for count in 1...32 {
            let identity = unsafe bytes[..<count].withUnsafeBytes { unsafe PeerIdentity($0) }
            #expect(unsafe identity?.withBytes { unsafe Array($0) } == Array(bytes[..<count]))
        }
        #expect(unsafe [UInt8]().withUnsafeBytes { unsafe PeerIdentity($0) } == nil)
        #expect(unsafe [UInt8](repeating: 1, count: 33).withUnsafeBytes { unsafe PeerIdentity($0) } == nil)
        #expect(caller(1) != caller(2) && caller(1) == caller(1))
        #expect(caller(1).description == "53000000010000000100000000000000")
    }
}
