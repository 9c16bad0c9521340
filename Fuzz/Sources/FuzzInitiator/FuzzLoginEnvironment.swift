// SPDX-License-Identifier: Apache-2.0
package import FuzzSupport
package import ISCSI

/// Targets, access rules and challenges in memory, chosen by an input.
package final class FuzzLoginEnvironment: LoginEnvironment, TargetDirectory {
    package static let initiatorName = "iqn.2026-01.a:i"
    package static let targetName = "iqn.2026-01.a:t"
    package static let userName = "user"
    package static let secret = CHAPSecret("0123456789ab")

    package let requiresCHAP: Bool
    private let isMutual: Bool
    private let targetCount: Int
    private var challenges = OutstandingChallenges()
    private var randomState: UInt8 = 1
    package private(set) var acceptsLogins = true

    package init(_ input: inout FuzzInput) {
        let flags = input.byte()
        requiresCHAP = flags & 1 != 0
        isMutual = flags & 2 != 0
        acceptsLogins = flags & 0x1c != 0x1c
        targetCount = Int(flags >> 5)
    }

    /// All of them are answered or given up.
    package var challengeCount: Int { challenges.count }

    package func findTarget(named name: String) -> TargetLookup {
        switch name {
        case Self.targetName: .found(portalGroupTag: 1)
        case "iqn.2026-01.a:gone": .removed
        case "iqn.2026-01.a:moved": .moved(address: "[::1]:3260", isPermanent: randomState & 1 == 1)
        case "iqn.2026-01.a:away": .unavailable
        default: .notFound
        }
    }

    package func access(to target: String?, initiator: String) -> LoginAccess {
        guard initiator != "iqn.2026-01.a:stranger" else { return .refused }
        guard requiresCHAP else { return .open }
        let mutual = isMutual ? CHAPCredentials.Mutual(secret: CHAPSecret("ba9876543210")) : nil
        guard let own = try? CHAPCredentials(userName: Self.userName, secret: Self.secret, mutual: mutual),
            let other = try? CHAPCredentials(secret: CHAPSecret("aaaabbbbcccc"))
        else { preconditionFailure("the credentials are good") }
        return .chap([other, own])
    }

    package var chapAlgorithms: Set<CHAPAlgorithm> { Set(CHAPAlgorithm.allCases) }
    package func randomBytes(_ count: Int) -> [UInt8] {
        randomState &+= 1
        return (0..<count).map { UInt8(truncatingIfNeeded: $0) ^ randomState }
    }
    package func remember(challenge: [UInt8]) { challenges.insert(challenge) }
    package func forget(challenge: [UInt8]) { challenges.remove(challenge) }
    package func isOutstanding(challenge: [UInt8]) -> Bool { challenges.contains(challenge) }

    package func targets(named name: String?) -> [TargetRecord] {
        let all = (0..<targetCount).map { index in
            TargetRecord(
                name: index == 0 ? Self.targetName : Self.targetName + String(index),
                addresses: ["127.0.0.1:3260,1", "[::1]:3260,1"])
        }
        return name.map { name in all.filter { $0.name == name } } ?? all
    }
    /// What SendTargets can have answered at most.
    package var directoryByteCount: Int { targetCount * 128 }
}
