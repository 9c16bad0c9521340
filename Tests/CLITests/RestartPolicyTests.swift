// SPDX-License-Identifier: Apache-2.0
import CLI
import Glibc
import ServiceKit
import Testing

struct RestartPolicyTests {
    @Test func comesBackAtOnceAfterALongRun() {
        var policy = RestartPolicy()
        #expect(policy.decide(after: .signal(SIGKILL), uptime: .seconds(60)) == .restart(after: .zero))
        #expect(policy.decide(after: .signal(SIGSEGV), uptime: .seconds(3)) == .restart(after: .zero))
    }

    @Test func waitsLongerEachTimeButNeverTooLong() {
        var policy = RestartPolicy()
        _ = policy.decide(after: .signal(SIGKILL), uptime: .seconds(60))
        let delays = (0..<8).map { _ in policy.decide(after: .signal(SIGSEGV), uptime: .milliseconds(5)) }
        let expected = [100, 200, 400, 800, 1600, 3200, 5000, 5000]
        #expect(delays == expected.map { .restart(after: .milliseconds($0)) })
        #expect(policy.decide(after: .code(70), uptime: .seconds(5)) == .restart(after: .zero))
        #expect(policy.decide(after: .code(70), uptime: .zero) == .restart(after: .milliseconds(100)))
    }

    @Test func givesUpOnAServiceThatNeverStarted() {
        var policy = RestartPolicy()
        #expect(policy.decide(after: .code(78), uptime: .milliseconds(20)) == .giveUp(.configuration))
        var slow = RestartPolicy()
        #expect(slow.decide(after: .code(69), uptime: .seconds(10)) == .giveUp(.unavailable), "a slow probe")
        var crashing = RestartPolicy()
        for _ in 0..<4 { #expect(crashing.decide(after: .signal(SIGILL), uptime: .zero) != .giveUp(.unavailable)) }
        #expect(crashing.decide(after: .signal(SIGILL), uptime: .zero) == .giveUp(.unavailable))
    }

    @Test func keepsTryingOnceTheGatewayHasRun() {
        var policy = RestartPolicy()
        _ = policy.decide(after: .signal(SIGKILL), uptime: .seconds(31))
        for _ in 0..<20 {
            guard case .restart = policy.decide(after: .code(69), uptime: .seconds(3)) else {
                Issue.record("gave up on a service that had been running")
                return
            }
        }
    }

    @Test func beingKilledSaysNothingAboutTheService() {
        var policy = RestartPolicy()
        for signal in [SIGKILL, SIGTERM] {
            for _ in 0..<20 {
                let decision = policy.decide(after: .signal(signal), uptime: .milliseconds(300))
                #expect(decision == .restart(after: .milliseconds(100)), "initiators wait for it")
            }
        }
        let crash = policy.decide(after: .signal(SIGSEGV), uptime: .milliseconds(300))
        #expect(crash == .restart(after: .milliseconds(100)), "kills are no failures")
    }
}
