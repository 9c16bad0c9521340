// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing
import Wire

/// Random logins, nearly right and utterly wrong: nothing may trap, every answer is bounded, and no session is made
/// without a name.
struct LoginFuzzTests {
    private static let keys = [
        "InitiatorName", "TargetName", "SessionType", "AuthMethod", "HeaderDigest", "DataDigest", "MaxConnections",
        "InitialR2T", "ImmediateData", "MaxRecvDataSegmentLength", "MaxBurstLength", "FirstBurstLength",
        "DefaultTime2Wait", "DefaultTime2Retain", "MaxOutstandingR2T", "ErrorRecoveryLevel", "CHAP_A", "CHAP_R",
        "TaskReporting", "X-unknown", "SendTargets", "InitiatorAlias", "IFMarkInt",
    ]
    private static let values = [
        "Yes", "No", "None", "CHAP", "CRC32C", "0", "1", "-1", "512", "65536", "0xffffffff", "18446744073709551616",
        "", "Normal", "Discovery", "All", LoginHarness.initiator, TestEnvironment.target, ",", "None,CRC32C",
    ]

    @Test func neverTrapsAndKeepsItsAnswersBounded() {
        var established = 0
        for seed in UInt64(0)..<3000 {
            var random = SeededRandom(seed: seed)
            let harness = LoginHarness()
            for _ in 0..<40 {
                let (flags, data) = Self.request(&random)
                if random.oneIn(30) { harness.request.isid = InitiatorSessionID(rawValue: random.next()) }
                if random.oneIn(50) { harness.request.versionMinimum = 1 }
                switch harness.send(flags, data: data) {
                case .answer(let response, let text):
                    #expect(text.count <= PDUFramer.loginDataSegmentLimit)
                    #expect(response.status == 0)
                    #expect(!response.flags.isTransit || response.flags.next != .fullFeature)
                    continue
                case .establish(let identity, _, _):
                    #expect(identity.initiatorName == LoginHarness.initiator)
                    #expect(identity.isDiscovery || identity.targetName == TestEnvironment.target)
                    _ = harness.machine.admit(tsih: 9)
                    established += 1
                case .fail(let response, let text):
                    #expect(response.status != 0 && text.count <= PDUFramer.loginDataSegmentLimit)
                case .close:
                    break
                }
                #expect(harness.send(flags, data: data) == .close, "a login that is over takes nothing more")
                break
            }
        }
        #expect(established > 20)
    }

    private static func request(_ random: inout SeededRandom) -> (LoginFlags, [UInt8]) {
        let usual: [UInt8] = [0x87, 0x81, 0x04, 0x00, 0x44]
        let flags = random.oneIn(6) ? UInt8(truncatingIfNeeded: random.next()) : usual[random.below(usual.count)]
        if random.oneIn(25) { return (LoginFlags(rawValue: flags), random.bytes(random.below(8193))) }
        var pairs = random.oneIn(3) ? [] : LoginHarness.names
        for _ in 0..<random.below(4) {
            pairs.append(TextPair(keys[random.below(keys.count)], values[random.below(values.count)]))
        }
        var data = TextKeys.encode(pairs)
        if random.oneIn(10), !data.isEmpty { data[random.below(data.count)] = UInt8(truncatingIfNeeded: random.next()) }
        return (LoginFlags(rawValue: flags), data)
    }
}
