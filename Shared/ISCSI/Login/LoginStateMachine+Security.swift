// SPDX-License-Identifier: Apache-2.0

/// The security stage of a login (RFC 7143 §6.3.1, §12.1): CHAP, or nothing.
extension LoginStateMachine {
    private var isAuthenticated: Bool { exchange?.isAuthenticated ?? false }

    mutating func answerSecurity(
        _ offers: [TextPair], _ environment: some LoginEnvironment
    ) throws(LoginStatus) -> [TextPair] {
        var answers: [TextPair] = []
        var steps: [TextPair] = []
        for offer in offers {
            switch offer.key {
            case "AuthMethod":
                answers.append(TextPair("AuthMethod", try chooseMethod(offer.value)))
            case "MaxRecvDataSegmentLength":
                guard negotiation.declareInitiatorDataSegmentLimit(offer.value) else { throw .initiatorError }
            case let key where key.hasPrefix("CHAP_"):
                steps.append(offer)
            case let key where Negotiation.isOperational(key):
                throw .initiatorError
            default:
                answers.append(try negotiation.answerUnknown(offer))
            }
        }
        guard !steps.isEmpty else { return answers }
        // Keys of a method that was not agreed on prove nothing.
        guard let pairs = try exchange?.receive(steps, environment: environment) else {
            throw .authenticationFailure
        }
        return answers + pairs
    }

    /// The method that the target's owner has decided on, if the initiator offers it; its order has no say.
    private mutating func chooseMethod(_ list: String) throws(LoginStatus) -> String {
        let offered = TextValue.list(list)
        switch access {
        case .open where offered.contains("None"):
            return "None"
        case .chap(let candidates) where offered.contains("CHAP"):
            exchange = CHAPExchange(candidates: candidates, targetName: identity?.targetName)
            return "CHAP"
        case .open, .chap, .refused:
            failureText = [TextPair("AuthMethod", "Reject")]
            throw .authenticationFailure
        }
    }

    /// False while the authentication goes on, which many initiators ask to leave in each of its steps. Whoever asks
    /// without taking a step wants to go around it.
    func mayTransit(from stage: LoginFlags.Stage, _ offers: [TextPair]) throws(LoginStatus) -> Bool {
        guard access.requiresAuthentication, !isAuthenticated else { return true }
        let isStep = offers.contains { $0.key == "AuthMethod" || $0.key.hasPrefix("CHAP_") }
        guard stage == .security, isStep else { throw .authenticationFailure }
        return false
    }
}
