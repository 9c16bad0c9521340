// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Testing
import Wire

struct FrontendTableTests {
    private let frontend = ServiceInstance(rawValue: 7)
    private let other = ServiceInstance(rawValue: 8)

    private func origin(_ number: UInt64) -> RequestOrigin { RequestOrigin(frontend: frontend, number: number) }

    @Test func aStrangerMustSayHello() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        let verdict = table.heard(frontend, at: 0)
        #expect(verdict == .helloRequired)
        let isWelcome = table.hello(frontend, at: 1)
        #expect(isWelcome)
        let verdictThen = table.heard(frontend, at: 2)
        #expect(verdictThen == .admitted)
    }

    @Test func eachAnswerGoesToTheSocketThatAsked() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        table.route(origin(1), lowestOpenNumber: 0, to: "a")
        table.route(origin(2), lowestOpenNumber: 0, to: "b")
        table.route(origin(3), lowestOpenNumber: 0, to: "a")
        table.route(origin(4), lowestOpenNumber: 0, to: "c")
        let routes = (1...4).map { table.takeRoute(origin($0)) }
        #expect(routes == ["a", "b", "a", "c"])
    }

    @Test func routesOfRequestsThatAreNeverAnsweredDoNotPileUp() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        table.route(origin(0), lowestOpenNumber: 0, to: "a")
        for number in 1...20_000 as ClosedRange<UInt64> {
            table.route(origin(number), lowestOpenNumber: number - 1, to: "b")
        }
        let route = table.takeRoute(origin(1))
        #expect(route == "a")
        let routeThen = table.takeRoute(origin(20_000))
        #expect(routeThen == "b")
    }

    @Test func silenceWhileThisProcessStoodStillIsExcused() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        table.excuseSilence(at: 40)
        let revoked = table.revokeSilent(at: 69)
        #expect(revoked.isEmpty)
        let revokedThen = table.revokeSilent(at: 70)
        #expect(revokedThen == [frontend])
    }

    @Test func aSilentFrontendIsRevokedForGood() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        _ = table.hello(other, at: 20)
        table.route(origin(1), lowestOpenNumber: 0, to: "a")
        #expect(table.nextDeadline == 30)
        let revoked = table.revokeSilent(at: 29)
        #expect(revoked.isEmpty)
        let revokedThen = table.revokeSilent(at: 30)
        #expect(revokedThen == [frontend])
        let verdict = table.heard(frontend, at: 31)
        #expect(verdict == .revoked)
        let isWelcome = table.hello(frontend, at: 32)
        #expect(!isWelcome)
        let route = table.takeRoute(origin(1))
        #expect(route == nil)
        let verdictThen = table.heard(other, at: 33)
        #expect(verdictThen == .admitted)
        #expect(table.revokedCount == 1)
    }

    @Test func anyMessageKeepsAFrontendAlive() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        for time in stride(from: UInt64(20), to: 200, by: 20) {
            let verdict = table.heard(frontend, at: time)
            #expect(verdict == .admitted)
            let revoked = table.revokeSilent(at: time + 10)
            #expect(revoked.isEmpty)
        }
    }
}
