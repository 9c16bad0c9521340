// SPDX-License-Identifier: Apache-2.0
package import FuzzSupport
import ISCSI

/// Texts of logins and negotiations as an input wants them: mostly of keys that there are, so that something comes of
/// them.
package struct FuzzText {
    private static let keys = [
        "InitiatorName", "TargetName", "SessionType", "InitiatorAlias", "AuthMethod", "CHAP_A", "CHAP_N", "CHAP_R",
        "CHAP_I", "CHAP_C", "HeaderDigest", "DataDigest", "InitialR2T", "ImmediateData", "MaxRecvDataSegmentLength",
        "MaxBurstLength", "FirstBurstLength", "MaxOutstandingR2T", "MaxConnections", "DefaultTime2Wait",
        "DefaultTime2Retain", "ErrorRecoveryLevel", "DataPDUInOrder", "DataSequenceInOrder", "IFMarker", "OFMarkInt",
        "TaskReporting", "iSCSIProtocolLevel", "SendTargets", "TargetAddress", "TargetPortalGroupTag", "sendtargets",
        "X-com.example.a", "",
    ]
    private static let values = [
        "Yes", "No", "None", "CRC32C", "CRC32C,None", "None,CRC32C", "CHAP", "CHAP,None", "None,CHAP", "0", "1", "2",
        "5", "5,6,7,8", "7", "8", "255", "256", "512", "511", "1024", "4096", "8192", "65535", "65536", "262144",
        "16777215", "16777216", "3600", "3601", "0x200", "0xffffffffffffffff", "0x10000000000000000", "0x", "-1",
        "18446744073709551616", "Discovery", "Normal", "All", "", "RFC3720", "RFC3720,FastAbort", "Reject",
        "NotUnderstood", "Irrelevant", "0b", "0bAAAA", "0bAA==", "0bAB==", "iqn.2026-01.a:gone", "iqn.2026-01.a:moved",
        "iqn.2026-01.a:away", "iqn.2026-01.a:stranger", "IQN.2026-01.A:T", "iqn.\u{130}", "eui.0123456789ABCDEF",
        FuzzLoginEnvironment.initiatorName, FuzzLoginEnvironment.targetName, FuzzLoginEnvironment.userName,
    ]

    /// Of the challenge that the target sent last.
    private var algorithm = CHAPAlgorithm.md5
    private var identifier: UInt8 = 0
    private var challenge: [UInt8] = []

    package init() {}

    /// Looks for a challenge in an answer of the target.
    package mutating func read(_ answer: [UInt8]) {
        guard let pairs = try? TextKeys.parse(answer) else {
            preconditionFailure("the target's text does not parse")
        }
        for pair in pairs {
            switch pair.key {
            case "CHAP_A": algorithm = UInt8(pair.value).flatMap(CHAPAlgorithm.init) ?? algorithm
            case "CHAP_I": identifier = UInt8(pair.value) ?? identifier
            case "CHAP_C": challenge = CHAPValue.decode(pair.value, byteCounts: 1...1024) ?? challenge
            default: break
            }
        }
    }

    /// The right answer to the challenge.
    package var response: String {
        CHAPValue.encode(
            algorithm.response(
                identifier: identifier, secret: FuzzLoginEnvironment.secret, challenge: challenge))
    }

    package func next(_ input: inout FuzzInput) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<input.choice(12) { bytes += piece(&input) }
        return bytes
    }

    private func piece(_ input: inout FuzzInput) -> [UInt8] {
        func pair(_ key: String, _ value: String) -> [UInt8] { TextKeys.encode([TextPair(key, value)]) }
        switch input.choice(12) {
        case 0: return input.take(input.choice(32)) + [0]
        case 1: return pair("CHAP_R", response)
        case 2: return pair("CHAP_C", CHAPValue.encode(challenge))
        case 3: return pair(input.pick(Self.keys), String(decoding: input.take(input.choice(64)), as: UTF8.self))
        case 4: return pair("InitiatorName", FuzzLoginEnvironment.initiatorName)
        case 5: return pair("TargetName", FuzzLoginEnvironment.targetName)
        case 6:
            return pair("CHAP_N", FuzzLoginEnvironment.userName) + pair("CHAP_R", response)
        case 7: return pair("X-" + String(input.byte()), "1")
        case 8:
            let value = input.pick(Self.values)
            return pair(input.pick(Self.keys), String(repeating: value, count: input.choice(64)))
        default:
            let key = input.pick(Self.keys)
            return pair(key, input.pick(Self.values))
        }
    }
}
