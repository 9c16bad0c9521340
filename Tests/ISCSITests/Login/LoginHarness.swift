// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Wire

/// Two targets, one of which does not serve.
struct TestEnvironment: LoginEnvironment {
    static let target = "iqn.2026-11.io.sluice:disk"
    var acceptsLogins = true
    func findTarget(named name: String) -> TargetLookup {
        switch name {
        case Self.target: .found(portalGroupTag: 7)
        case "iqn.2026-11.io.sluice:away": .unavailable
        default: .notFound
        }
    }
}

/// Plays an initiator against a `LoginStateMachine`.
final class LoginHarness {
    static let initiator = "iqn.2026-11.com.example:host"
    var machine: LoginStateMachine
    var environment = TestEnvironment()
    var request = LoginRequest()

    init(limits: NegotiationLimits = NegotiationLimits()) {
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
