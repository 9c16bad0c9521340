// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import Testing

@Suite struct FaultPlanTests {
    @Test func readsEveryFaultWithItsOptions() throws {
        let plan = try FaultPlan(
            text: """
                # A comment, and an empty line.

                latency delay=20ms jitter=1.5s rate=0.25 methods=put,GET   # to the end of the line
                status code=429 retry-after=3 every=50 burst=5 skip=2 limit=9
                hang stage=applied
                reset stage=body keys=*/packs/*,*.head
                truncate keep=64k
                lost-reply from=1s to=2s period=10s
                duplicate after=3s
                late-delivery after=1m
                strip-preconditions
                flip-bits bits=7
                slow-body bytes-per-second=1m direction=request
                outage from=10s to=15s
                """)
        #expect(
            plan.rules == [
                FaultRule(
                    .latency(fixed: .milliseconds(20), jitter: .milliseconds(1500)), methods: ["PUT", "GET"], rate: 0.25
                ),
                FaultRule(.status(code: 429, retryAfterSeconds: 3), skip: 2, every: 50, burst: 5, limit: 9),
                FaultRule(.hang(.applied)),
                FaultRule(.reset(.body), keys: ["*/packs/*", "*.head"]),
                FaultRule(.truncate(keep: 65536)),
                FaultRule(.lostReply, window: TimeWindow(from: .seconds(1), to: .seconds(2), period: .seconds(10))),
                FaultRule(.duplicate(after: .seconds(3))),
                FaultRule(.lateDelivery(after: .seconds(60))),
                FaultRule(.stripPreconditions),
                FaultRule(.flipBits(count: 7)),
                FaultRule(.slowBody(bytesPerSecond: 1 << 20, .request)),
                FaultRule(.outage, window: TimeWindow(from: .seconds(10), to: .seconds(15))),
            ])
    }

    @Test(arguments: [
        "sleep delay=1s", "latency delay=1", "latency delay", "latency delay=1s delay=2s", "status code=200",
        "hang stage=never", "truncate keep=-1", "reset rate=1.5", "lost-reply every=0", "outage rate=0.5",
        "slow-body", "flip-bits bits=0", "truncate keep=99999999999999999999", "truncate keep=9999999999999999m",
    ])
    func saysWhichLineIsWrong(_ line: String) {
        do {
            _ = try FaultPlan(text: "latency delay=1s\n\(line)")
            Issue.record("\(line) was taken")
        } catch {
            guard case .plan(line: 2, _) = error else {
                Issue.record(error)
                return
            }
        }
    }

    @Test func globsMatchPathsWithAndWithoutTheirQuery() {
        func isHit(_ pattern: KeyPattern, _ uri: String) -> Bool {
            FaultScript(plan: FaultPlan([FaultRule(.lostReply, keys: [pattern])]), seed: 1)
                .decide(method: "GET", uri: uri).outcome != nil
        }
        #expect(isHit("bucket/packs/*", "/bucket/packs/1"))
        #expect(isHit("*/head", "/bucket/volume/head"))
        #expect(isHit("*/head", "/bucket/volume/head?x-id=GetObject"))
        #expect(isHit("*list-type=2*", "/bucket?list-type=2&prefix=a"))
        #expect(isHit("b*a*c", "/baaac"))
        #expect(isHit("*", "/"))
        #expect(!isHit("bucket", "/bucket/a"))
        #expect(!isHit("ab*ba", "/aba"))
        #expect(!isHit("*/packs/*", "/bucket/heads/1"))
    }

    @Test func windowsOpenAgain() {
        let window = TimeWindow(from: .seconds(1), to: .seconds(2), period: .seconds(10))
        #expect(
            [0.5, 1, 1.9, 2, 11.5, 12, 101.5].map { window.contains(.seconds($0)) } == [
                false, true, true, false, true, false, true,
            ])
        #expect(TimeWindow(from: .seconds(3)).contains(.seconds(1000)))
    }

    @Test func aSeedIsASequence() {
        let plan = FaultPlan([
            FaultRule(.latency(fixed: .zero, jitter: .seconds(1)), rate: 0.3),
            FaultRule(.lostReply, methods: ["PUT"], rate: 0.2, burst: 2),
            FaultRule(.flipBits(count: 1), every: 3, rate: 0.5),
        ])
        func decisions(_ script: FaultScript) -> [FaultDecision] {
            (0..<200).map { script.decide(method: $0 % 2 == 0 ? "PUT" : "GET", uri: "/b/\($0)") }
        }
        let script = FaultScript(plan: plan, seed: 7)
        let first = decisions(script)
        #expect(first == decisions(FaultScript(plan: plan, seed: 7)))
        #expect(first != decisions(FaultScript(plan: plan, seed: 8)))
        #expect(first.contains { $0.outcome == .lostReply })
        script.install(plan, seed: 7)
        #expect(decisions(script) == first)
        #expect(script.counters.requests == 400)
    }

    @Test func countsSkipsPeriodsBurstsAndLimits() {
        func hits(_ rule: FaultRule) -> [Int] {
            let script = FaultScript(plan: FaultPlan([rule]), seed: 1)
            return (0..<20).filter { _ in script.decide(method: "GET", uri: "/a").outcome != nil }
        }
        #expect(hits(FaultRule(.lostReply, skip: 17)) == [17, 18, 19])
        #expect(hits(FaultRule(.lostReply, every: 7)) == [6, 13])
        #expect(hits(FaultRule(.lostReply, every: 7, burst: 3)) == [6, 7, 8, 13, 14, 15])
        #expect(hits(FaultRule(.lostReply, skip: 2, limit: 1)) == [2])
        #expect(hits(FaultRule(.lostReply, rate: 0)) == [])
    }

    @Test func theFirstOutcomeThatFiresIsTheOne() {
        let plan = FaultPlan([
            FaultRule(.lostReply, every: 2), FaultRule(.status(code: 503, retryAfterSeconds: nil), limit: 2),
        ])
        let script = FaultScript(plan: plan, seed: 1)
        let outcomes = (0..<4).map { _ in script.decide(method: "GET", uri: "/a").outcome?.name }
        #expect(outcomes == [.status, .lostReply, .status, .lostReply])
    }
}
