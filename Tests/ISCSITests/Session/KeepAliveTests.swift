// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct KeepAliveTests {
    @Test func pingsAfterSilenceAndGivesUpWithoutAnAnswer() {
        let second: UInt64 = 1_000_000_000
        var keepAlive = KeepAlive(now: 5 * second)
        #expect(keepAlive.check(at: 34 * second) == .none)
        #expect(keepAlive.check(at: 35 * second) == .ping)
        #expect(keepAlive.check(at: 36 * second) == .none)
        keepAlive.heard(at: 40 * second)
        #expect(keepAlive.check(at: 69 * second) == .none)
        #expect(keepAlive.check(at: 70 * second) == .ping)
        #expect(keepAlive.check(at: 129 * second) == .none)
        #expect(keepAlive.check(at: 130 * second) == .giveUp)
    }
}
