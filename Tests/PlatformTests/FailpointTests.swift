// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import Testing

@Suite struct FailpointTests {
    private let point = Failpoint("test.point")

    @Test func failsFromTheGivenHitOn() throws {
        let armed = try Failpoint.parse("other=kill,test.point=error@3")
        for _ in 0..<2 { try point.act(among: armed) }
        for _ in 0..<2 {
            #expect(throws: SystemError(errorNumber: EIO, call: "failpoint", path: "test.point")) {
                try point.act(among: armed)
            }
        }
    }

    @Test func doesNothingWhenNotArmed() throws {
        try point.hit()
        try point.act(among: Failpoint.parse(""))
        try point.act(among: Failpoint.parse("other=error"))
    }

    @Test func readsEveryAction() throws {
        let armed = try Failpoint.parse("a=kill,b=pause@7,c=error@2")
        #expect(armed.map(\.name) == ["a", "b", "c"])
        #expect(armed.map(\.action) == [.kill, .pause, .error])
        #expect(armed.map(\.hitNumber) == [1, 7, 2])
    }

    @Test(arguments: ["a", "a=", "=kill", "a=die", "a=kill@", "a=kill@0", "a=kill@-1", "a=kill@x"])
    func refusesWhatItCannotRead(_ text: String) {
        #expect(throws: FailpointError.malformed(text)) { try Failpoint.parse(text) }
    }

    @Test func killsTheProcessAtTheHit() async {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            unsafe setenv("SLUICE_FAILPOINTS", "test.kill=kill@2", 1)
            try Failpoint.checkEnvironment()
            try Failpoint("test.kill").hit()
            try Failpoint("test.kill").hit()
            exit(0)
        }
    }

    @Test func aMisspeltVariableIsToldAtTheStart() async {
        await #expect(processExitsWith: .exitCode(3)) {
            unsafe setenv("SLUICE_FAILPOINTS", "test.kill:kill", 1)
            do { try Failpoint.checkEnvironment() } catch { exit(3) }
        }
    }
}
