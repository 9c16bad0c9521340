// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Wire

/// A few targets, of which some do not serve, and what an owner decides about them.
final class TestEnvironment: LoginEnvironment {
    static let target = "iqn.2026-11.io.sluice:disk"
    var acceptsLogins = true
    var lookups: [String: TargetLookup] = [
        TestEnvironment.target: .found(portalGroupTag: 7), "iqn.2026-11.io.sluice:away": .unavailable,
    ]
    var access = LoginAccess.open
    var discoveryAccess = LoginAccess.open
    var chapAlgorithms = Set(CHAPAlgorithm.allCases)
    /// What the generator gives next; afterwards it counts on from a seed.
    var scripted: [UInt8] = []
    var challenges = OutstandingChallenges()
    private var random = SeededRandom(seed: 1)

    func findTarget(named name: String) -> TargetLookup { lookups[name] ?? .notFound }

    func access(to target: String?, initiator: String) -> LoginAccess {
        guard target != nil else { return discoveryAccess }
        return initiator == LoginHarness.initiator ? access : .refused
    }

    func randomBytes(_ count: Int) -> [UInt8] {
        guard !scripted.isEmpty else { return random.bytes(count) }
        defer { scripted = [] }
        return scripted
    }

    func remember(challenge: [UInt8]) { challenges.insert(challenge) }
    func forget(challenge: [UInt8]) { challenges.remove(challenge) }
    func isOutstanding(challenge: [UInt8]) -> Bool { challenges.contains(challenge) }
}

/// Plays an initiator against a `LoginStateMachine`.
final class LoginHarness {
    static let initiator = "iqn.2026-11.com.example:host"
    var machine: LoginStateMachine
    let environment: TestEnvironment
    var request = LoginRequest()

    init(limits: NegotiationLimits = NegotiationLimits(), environment: TestEnvironment = TestEnvironment()) {
        self.environment = environment
        machine = LoginStateMachine(limits: limits, windowDepth: 128)
        request.isImmediate = true
        request.isid = InitiatorSessionID(rawValue: 0x8000_0000_0001)
        request.cmdSN = SerialNumber(0xffff_fff0)
        request.connectionID = 3
        request.initiatorTaskTag = 0x1000
    }

    static let names = [
        TextPair("InitiatorName", initiator), TextPair("SessionType", "Normal"),
        TextPair("TargetName", TestEnvironment.target),
    ]

    func send(
        _ flags: LoginFlags, _ pairs: [TextPair] = [], data: [UInt8]? = nil
    ) -> LoginStateMachine.Action {
        request.flags = flags
        let bytes = data ?? TextKeys.encode(pairs)
        return machine.receive(
            request.encoded(dataSegmentByteCount: bytes.count), data: bytes, environment: environment)
    }

    /// Straight to the operational stage and out of it.
    func offer(_ pairs: [TextPair]) -> LoginStateMachine.Action {
        send(LoginFlags(transit: true, current: .operational, next: .fullFeature), Self.names + pairs)
    }
}

extension LoginStateMachine.Action {
    var status: UInt16? {
        switch self {
        case .answer(let response, _), .fail(let response, _): response.status
        case .establish, .close: nil
        }
    }

    var pairs: [TextPair] {
        switch self {
        case .answer(_, let text), .fail(_, let text): (try? TextKeys.parse(text)) ?? []
        case .establish, .close: []
        }
    }

    var answered: (response: LoginResponse, pairs: [TextPair])? {
        guard case .answer(let response, _) = self else { return nil }
        return (response, pairs)
    }
}
