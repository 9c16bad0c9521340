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
        #expect(table.heard(frontend, at: 0) == .helloRequired)
        #expect(table.hello(frontend, at: 1))
        #expect(table.heard(frontend, at: 2) == .admitted)
    }

    @Test func eachAnswerGoesToTheSocketThatAsked() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        table.route(origin(1), lowestOpenNumber: 0, to: "a")
        table.route(origin(2), lowestOpenNumber: 0, to: "b")
        table.route(origin(3), lowestOpenNumber: 0, to: "a")
        table.route(origin(4), lowestOpenNumber: 0, to: "c")
        #expect((1...4).map { table.takeRoute(origin($0)) } == ["a", "b", "a", "c"])
    }

    @Test func routesOfRequestsThatAreNeverAnsweredDoNotPileUp() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        table.route(origin(0), lowestOpenNumber: 0, to: "a")
        for number in 1...20_000 as ClosedRange<UInt64> {
            table.route(origin(number), lowestOpenNumber: number - 1, to: "b")
        }
        #expect(table.takeRoute(origin(1)) == "a")
        #expect(table.takeRoute(origin(20_000)) == "b")
    }

    @Test func aSilentFrontendIsRevokedForGood() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        _ = table.hello(other, at: 20)
        table.route(origin(1), lowestOpenNumber: 0, to: "a")
        #expect(table.nextDeadline == 30)
        #expect(table.revokeSilent(at: 29).isEmpty)
        #expect(table.revokeSilent(at: 30) == [frontend])
        #expect(table.heard(frontend, at: 31) == .revoked)
        #expect(!table.hello(frontend, at: 32))
        #expect(table.takeRoute(origin(1)) == nil)
        #expect(table.heard(other, at: 33) == .admitted)
        #expect(table.revokedCount == 1)
    }

    @Test func anyMessageKeepsAFrontendAlive() {
        var table = FrontendTable<String>(silenceNanoseconds: 30)
        _ = table.hello(frontend, at: 0)
        for time in stride(from: UInt64(20), to: 200, by: 20) {
            #expect(table.heard(frontend, at: time) == .admitted)
            #expect(table.revokeSilent(at: time + 10).isEmpty)
        }
    }
}
