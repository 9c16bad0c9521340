// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing
import Wire

struct LoginStateMachineTests {
    private let toOperational = LoginFlags(transit: true, current: .security, next: .operational)
    private let toFullFeature = LoginFlags(transit: true, current: .operational, next: .fullFeature)

    @Test func carriesOutTheLoginOfTwoStages() throws {
        let harness = LoginHarness()
        let first = harness.send(toOperational, LoginHarness.names + [TextPair("AuthMethod", "CHAP,None")])
        let security = try #require(first.answered)
        #expect(security.response.flags == toOperational)
        #expect(security.pairs == [TextPair("TargetPortalGroupTag", "7"), TextPair("AuthMethod", "None")])
        #expect(security.response.isid == harness.request.isid)
        #expect(security.response.tsih == 0)
        #expect(security.response.sequence.expCmdSN == SerialNumber(0xffff_fff0))
        #expect(security.response.sequence.maxCmdSN == SerialNumber(0xffff_fff0 &+ 127))

        harness.request.initiatorTaskTag += 1
        let last = harness.send(toFullFeature, [TextPair("HeaderDigest", "CRC32C,None")])
        let identity = SessionIdentity(
            initiatorName: LoginHarness.initiator, isid: harness.request.isid, targetName: TestEnvironment.target)
        #expect(last == .establish(identity, tsih: 0, connectionID: 3))

        let admission = harness.machine.admit(tsih: 0x4242)
        let final = try #require(admission.answered)
        #expect(final.response.flags == toFullFeature)
        #expect(final.response.tsih == 0x4242)
        #expect(final.response.initiatorTaskTag == 0x1001)
        #expect(final.response.sequence.statSN == security.response.sequence.statSN.advanced(by: 1))
        #expect(
            final.pairs == [TextPair("HeaderDigest", "CRC32C"), TextPair("MaxRecvDataSegmentLength", "262144")])
        #expect(harness.machine.parameters.headerDigest)
        #expect(harness.machine.statSN == final.response.sequence.statSN.advanced(by: 1))
    }

    @Test func letsASessionBeginInAnyStageAndSkipTheOperationalOne() throws {
        let direct = LoginHarness()
        #expect(direct.offer([]).status == nil)
        let skipping = LoginHarness()
        let action = skipping.send(
            LoginFlags(transit: true, current: .security, next: .fullFeature), LoginHarness.names)
        guard case .establish = action else {
            Issue.record("\(action)")
            return
        }
        #expect(skipping.machine.parameters == SessionParameters())
    }

    @Test func admitsADiscoverySessionWithoutATarget() throws {
        let harness = LoginHarness()
        let action = harness.send(
            toFullFeature,
            [TextPair("InitiatorName", LoginHarness.initiator), TextPair("SessionType", "Discovery")])
        guard case .establish(let identity, _, _) = action else {
            Issue.record("\(action)")
            return
        }
        #expect(identity.isDiscovery)
        let final = try #require(harness.machine.admit(tsih: 1).answered)
        #expect(!final.pairs.contains { $0.key == "TargetPortalGroupTag" })
    }

    @Test func acceptsNamesRepeatedInEachStageButNotChanged() {
        let same = LoginHarness()
        _ = same.send(toOperational, LoginHarness.names)
        #expect(same.send(toFullFeature, LoginHarness.names).status == nil)
        let changed = LoginHarness()
        _ = changed.send(toOperational, LoginHarness.names)
        #expect(changed.send(toFullFeature, [TextPair("TargetName", "iqn.2026-11.other")]).status == 0x0200)
    }

    @Test func collectsTextThatComesInFragments() throws {
        let text = TextKeys.encode(LoginHarness.names + [TextPair("MaxBurstLength", "131072")])
        for cut in 0...text.count {
            let harness = LoginHarness()
            let fragment = harness.send(
                LoginFlags(transit: false, isContinued: true, current: .operational), data: Array(text[..<cut]))
            let answer = try #require(fragment.answered)
            #expect(answer.pairs.isEmpty && !answer.response.flags.isTransit)
            guard case .establish = harness.send(toFullFeature, data: Array(text[cut...])) else {
                Issue.record("cut at \(cut)")
                return
            }
            #expect(harness.machine.parameters.maxBurstByteCount == 131_072)
        }
    }

    @Test func saysWhyItRefusesTheLeadingRequest() {
        let initiator = TextPair("InitiatorName", LoginHarness.initiator)
        let target = TextPair("TargetName", TestEnvironment.target)
        let cases: [([TextPair], LoginStatus)] = [
            ([target], .missingParameter),
            ([TextPair("InitiatorName", ""), target], .missingParameter),
            ([TextPair("InitiatorName", "nonsense"), target], .initiatorError),
            ([TextPair("InitiatorName", "iqn." + String(repeating: "a", count: 220)), target], .initiatorError),
            ([initiator], .missingParameter),
            ([initiator, TextPair("TargetName", "iqn.2026-11.io.sluice:none")], .notFound),
            ([initiator, TextPair("TargetName", "nonsense")], .notFound),
            ([initiator, TextPair("TargetName", "iqn.2026-11.io.sluice:away")], .serviceUnavailable),
            ([initiator, target, TextPair("SessionType", "Special")], .initiatorError),
            (
                [initiator, target, initiator, TextPair("HeaderDigest", "None"), TextPair("HeaderDigest", "None")],
                .initiatorError
            ),
            ([initiator, target, TextPair("SendTargets", "All")], .initiatorError),
        ]
        for (pairs, status) in cases {
            let harness = LoginHarness()
            let action = harness.send(toFullFeature, pairs)
            guard case .fail(let response, _) = action else {
                Issue.record("\(pairs) was not refused")
                continue
            }
            #expect(response.status == status.rawValue, "\(pairs)")
            #expect(response.tsih == 0)
        }
    }

    @Test func refusesCHAPAloneAndCHAPKeysWithoutIt() {
        let alone = LoginHarness()
        #expect(alone.send(toOperational, LoginHarness.names + [TextPair("AuthMethod", "CHAP")]).status == 0x0201)
        let early = LoginHarness()
        #expect(early.send(toOperational, LoginHarness.names + [TextPair("CHAP_R", "0x00")]).status == 0x0201)
        let list = LoginHarness()
        #expect(list.send(toOperational, LoginHarness.names + [TextPair("AuthMethod", "KRB5,SRP")]).status == 0x0201)
    }

    @Test func refusesStageGames() {
        let flags: [UInt8] = [
            0x80 | 0 << 2 | 0, 0x80 | 1 << 2 | 1, 0x80 | 1 << 2 | 0, 0x80 | 0 << 2 | 2, 0x80 | 2 << 2 | 3,
            0x80 | 3 << 2 | 3, 0x80 | 0x40 | 1 << 2 | 3, 0 | 2 << 2, 0 | 3 << 2,
        ]
        for value in flags {
            let harness = LoginHarness()
            #expect(
                harness.send(LoginFlags(rawValue: value), LoginHarness.names).status == 0x020b, "flags \(value)")
        }
        let backwards = LoginHarness()
        _ = backwards.send(LoginFlags(transit: false, current: .operational), LoginHarness.names)
        #expect(backwards.send(toOperational).status == 0x020b)
        let jump = LoginHarness()
        _ = jump.send(LoginFlags(transit: false, current: .security), LoginHarness.names)
        #expect(jump.send(toFullFeature).status == 0x020b)
        let another = LoginHarness()
        _ = another.send(LoginFlags(transit: false, current: .security), LoginHarness.names)
        another.request.isid = InitiatorSessionID(rawValue: 99)
        #expect(another.send(toOperational).status == 0x020b)
    }

    @Test func refusesOtherVersionsAndStoppingServices() {
        let version = LoginHarness()
        version.request.versionMinimum = 1
        #expect(version.send(toFullFeature, LoginHarness.names).status == 0x0205)
        let stopping = LoginHarness()
        stopping.environment.acceptsLogins = false
        #expect(stopping.send(toFullFeature, LoginHarness.names).status == 0x0301)
    }

    @Test func closesWithoutAWordOnOtherPDUsAndAfterTheEnd() {
        let harness = LoginHarness()
        #expect(harness.machine.receive(NOPOut().encoded(), data: [], environment: harness.environment) == .close)
        #expect(harness.send(toFullFeature, LoginHarness.names) == .close)
        let waiting = LoginHarness()
        _ = waiting.offer([])
        #expect(waiting.send(toFullFeature) == .close)
    }

    @Test func boundsRequestsTextAndUnknownKeys() {
        let rounds = LoginHarness()
        _ = rounds.send(LoginFlags(transit: false, current: .operational), LoginHarness.names)
        for _ in 1..<LoginStateMachine.requestLimit {
            #expect(rounds.send(LoginFlags(transit: false, current: .operational)).status == 0)
        }
        #expect(rounds.send(LoginFlags(transit: false, current: .operational)).status == 0x0200)

        let flood = LoginHarness()
        let fragment = [UInt8](repeating: UInt8(ascii: "a"), count: 8192)
        let continued = LoginFlags(transit: false, isContinued: true, current: .operational)
        #expect(flood.send(continued, data: fragment).status == 0)
        #expect(flood.send(continued, data: fragment).status == 0)
        #expect(flood.send(continued, data: [1]).status == 0x0200)

        func unknown(_ count: Int) -> [TextPair] { (0..<count).map { TextPair("X-com.example.\($0)", "a") } }
        let few = LoginHarness()
        let answer = few.send(
            LoginFlags(transit: false, current: .operational), LoginHarness.names + unknown(64))
        #expect(answer.pairs.filter { $0.value == "NotUnderstood" }.count == 64)
        let many = LoginHarness()
        #expect(many.offer(unknown(65)).status == 0x0200)
    }

    /// CVE-2013-2850, CVE-2026-63887: what is not understood is echoed, so it is bounded in length and number.
    @Test func theAnswersToUnknownKeysAreBounded() {
        func longest(_ number: Int) -> TextPair {
            TextPair(String(repeating: "k", count: 60) + String(100 + number), "a")
        }
        for stage in [LoginFlags.Stage.security, .operational] {
            let flags = LoginFlags(transit: false, current: stage)
            let most = LoginHarness()
            let action = most.send(flags, LoginHarness.names + (0..<64).map(longest))
            guard case .answer(let response, let text) = action else {
                Issue.record("\(action)")
                continue
            }
            #expect(response.status == 0 && text.count <= PDUFramer.loginDataSegmentLimit)
            #expect(most.send(flags, [longest(64)]).status == 0x0200, "counted over the whole login")
            let tooLong = LoginHarness()
            let key = TextPair(String(repeating: "k", count: 64), "a")
            #expect(tooLong.send(flags, LoginHarness.names + [key]).status == 0x0200)
            let flood = LoginHarness()
            let pairs = [UInt8](Array(repeating: Array("a=b\0".utf8), count: 2048).joined())
            let refused = flood.send(flags, data: pairs)
            #expect(refused.status == 0x0200 && refused.pairs.isEmpty)
        }
    }

    @Test func refusesMalformedText() {
        for text in ["key\0", "=x\0", "\u{1}=x\0", String(repeating: "k", count: 64) + "=x\0"] {
            let harness = LoginHarness()
            #expect(harness.send(toFullFeature, data: Array(text.utf8)).status == 0x0200)
        }
        let harness = LoginHarness()
        #expect(harness.send(toFullFeature, data: [UInt8](repeating: 0x41, count: 8192)).status == 0x0200)
        let zeros = LoginHarness()
        #expect(zeros.send(toFullFeature, data: [UInt8](repeating: 0, count: 8192)).status == 0x0207)
    }
}
