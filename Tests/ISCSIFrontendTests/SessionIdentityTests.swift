// SPDX-License-Identifier: Apache-2.0
import ISCSI
import ISCSIFrontend
import Testing

struct SessionIdentityTests {
    private func nexus(_ initiator: String, _ isid: UInt64, _ target: String) -> UInt64 {
        SessionIdentity(
            initiatorName: initiator, isid: InitiatorSessionID(rawValue: isid), targetName: target
        ).nexus
    }

    /// Frontends of different releases have to agree, so the value never changes. Computed apart from this code.
    @Test func theNexusIsTheSameNumberEverywhere() {
        #expect(nexus("iqn.a", 1, "iqn.t") == 0x4dd0cd59cca48c2c)
    }

    @Test func everyPartOfTheNexusCounts() {
        let all: Set<UInt64> = [
            nexus("iqn.a", 1, "iqn.t"), nexus("iqn.b", 1, "iqn.t"), nexus("iqn.a", 2, "iqn.t"),
            nexus("iqn.a", 1, "iqn.u"),
        ]
        #expect(all.count == 4)
    }
}
