// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct LoginAccessTests {
    private func login(_ prepare: (TestEnvironment) -> Void) -> LoginStateMachine.Action {
        let harness = LoginHarness()
        prepare(harness.environment)
        return harness.offer([])
    }

    @Test func aTargetThatMayNotBeUsedLooksLikeNone() {
        let refused = login { $0.access = .refused }
        let absent = login { $0.lookups = [:] }
        #expect(refused == absent)
        #expect(refused.status == 0x0203)
        // Neither is told that it moves or goes.
        for lookup in [TargetLookup.removed, .moved(address: "10.0.0.1:3260", isPermanent: true)] {
            let action = login {
                $0.lookups[TestEnvironment.target] = lookup
                $0.access = .refused
            }
            #expect(action == absent)
        }
    }

    @Test func redirectsAndSaysWhatIsBeingDeleted() throws {
        for (isPermanent, status) in [(false, 0x0101), (true, 0x0102)] as [(Bool, UInt16)] {
            let action = login {
                $0.lookups[TestEnvironment.target] = .moved(address: "[2001:db8::1]:3260", isPermanent: isPermanent)
            }
            guard case .fail(let response, _) = action else {
                Issue.record("\(action)")
                continue
            }
            #expect(response.status == status)
            #expect(action.pairs == [TextPair("TargetAddress", "[2001:db8::1]:3260")])
        }
        #expect(login { $0.lookups[TestEnvironment.target] = .removed }.status == 0x0204)
    }

    @Test func discoveryIsRefusedOpenlyBecauseItNamesNothing() {
        let harness = LoginHarness()
        harness.environment.discoveryAccess = .refused
        let names = [TextPair("InitiatorName", LoginHarness.initiator), TextPair("SessionType", "Discovery")]
        #expect(harness.send(CHAPHarness.toFullFeature, names).status == 0x0202)
    }

    @Test func onlyTheNamedInitiatorIsAdmitted() {
        let harness = LoginHarness()
        let names = [
            TextPair("InitiatorName", "iqn.2026-11.com.example:other"), TextPair("TargetName", TestEnvironment.target),
        ]
        #expect(harness.send(CHAPHarness.toFullFeature, names).status == 0x0203)
        let upper = LoginHarness()
        let same = [
            TextPair("InitiatorName", LoginHarness.initiator.uppercased()),
            TextPair("TargetName", TestEnvironment.target.uppercased()),
        ]
        #expect(upper.send(CHAPHarness.toFullFeature, same).status == nil)
    }
}
