// SPDX-License-Identifier: Apache-2.0

/// The target's side of one CHAP authentication, optionally mutual (RFC 7143 §12.1.3):
/// `CHAP_A` → `CHAP_A CHAP_I CHAP_C` → `CHAP_N CHAP_R [CHAP_I CHAP_C]` → `[CHAP_N CHAP_R]`.
/// There is one attempt; whatever is wrong, the initiator learns only that the authentication failed.
struct CHAPExchange {
    /// CHAP_C of either side (RFC 7143 §12.1.3).
    static let challengeByteCounts = 1...1024

    private struct Challenge {
        var algorithm: CHAPAlgorithm
        var identifier: UInt8
        var bytes: [UInt8]
    }
    private enum Phase {
        case awaitsAlgorithm
        case awaitsResponse(Challenge)
        case over
    }

    /// Stands in when there are no credentials, so that this takes as long.
    private static let dummy = CHAPSecret([UInt8](repeating: 0x55, count: 16))

    private let candidates: [CHAPCredentials]
    private let targetName: String?
    private var phase = Phase.awaitsAlgorithm
    /// CHAP_N, once it is proven.
    private(set) var userName: String?

    /// - Parameter targetName: nil in a discovery session.
    init(candidates: [CHAPCredentials], targetName: String?) {
        self.candidates = candidates
        self.targetName = targetName
    }

    var isAuthenticated: Bool { userName != nil }

    /// The CHAP keys of one request, each of which is there once.
    mutating func receive(
        _ pairs: [TextPair], environment: some LoginEnvironment
    ) throws(LoginStatus) -> [TextPair] {
        let phase = phase
        self.phase = .over
        let values = Dictionary(pairs.map { ($0.key, $0.value) }) { first, _ in first }
        switch phase {
        case .awaitsAlgorithm:
            guard values.count == 1, let list = values["CHAP_A"],
                let algorithm = CHAPAlgorithm.choose(from: list, allowed: environment.chapAlgorithms)
            else { throw .authenticationFailure }
            return challenge(algorithm, environment)
        case .awaitsResponse(let challenge):
            environment.forget(challenge: challenge.bytes)
            return try verify(values, challenge, environment)
        case .over:
            throw .authenticationFailure
        }
    }

    /// The login is over before the challenge was answered.
    mutating func abandon(_ environment: some LoginEnvironment) {
        if case .awaitsResponse(let challenge) = phase { environment.forget(challenge: challenge.bytes) }
        phase = .over
    }

    private mutating func challenge(
        _ algorithm: CHAPAlgorithm, _ environment: some LoginEnvironment
    ) -> [TextPair] {
        let random = environment.randomBytes(1 + algorithm.challengeByteCount)
        precondition(random.count == 1 + algorithm.challengeByteCount, "a short challenge may come again")
        let challenge = Challenge(algorithm: algorithm, identifier: random[0], bytes: Array(random[1...]))
        environment.remember(challenge: challenge.bytes)
        phase = .awaitsResponse(challenge)
        return [
            TextPair("CHAP_A", String(algorithm.rawValue)), TextPair("CHAP_I", String(challenge.identifier)),
            TextPair("CHAP_C", CHAPValue.encode(challenge.bytes)),
        ]
    }

    private mutating func verify(
        _ values: [String: String], _ challenge: Challenge, _ environment: some LoginEnvironment
    ) throws(LoginStatus) -> [TextPair] {
        let size = challenge.algorithm.digestByteCount
        guard let name = values["CHAP_N"], !name.isEmpty,
            let response = values["CHAP_R"].flatMap({ CHAPValue.decode($0, byteCounts: size...size) })
        else { throw .authenticationFailure }
        guard let credentials = match(name, response, challenge) else { throw .authenticationFailure }
        let answer = try answerChallenge(values, credentials, name, challenge, environment)
        userName = name
        return answer
    }

    /// All candidates are tried, so that the time tells neither which names exist nor which of them came close.
    private func match(_ name: String, _ response: [UInt8], _ challenge: Challenge) -> CHAPCredentials? {
        func isProven(_ secret: CHAPSecret) -> Bool {
            let expected = challenge.algorithm.response(
                identifier: challenge.identifier, secret: secret, challenge: challenge.bytes)
            return CHAPSecret.areEqual(expected, response)
        }
        var found: CHAPCredentials?
        for candidate in candidates {
            let isProven = isProven(candidate.secret)
            // Literally: a name like `0x6162` is not decoded, and equal means equal bytes.
            let isNamed = candidate.userName.map { $0.utf8.elementsEqual(name.utf8) } ?? true
            if isProven, isNamed, found == nil { found = candidate }
        }
        if candidates.isEmpty { _ = isProven(Self.dummy) }
        return found
    }

    /// Only called once the initiator has proven itself: a stranger's challenge is never answered.
    private func answerChallenge(
        _ values: [String: String], _ credentials: CHAPCredentials, _ name: String, _ own: Challenge,
        _ environment: some LoginEnvironment
    ) throws(LoginStatus) -> [TextPair] {
        guard values.count > 2 else { return [] }
        guard values.count == 4, let mutual = credentials.mutual,
            let identifier = values["CHAP_I"].flatMap(TextValue.number).flatMap({ UInt8(exactly: $0) }),
            let challenge = values["CHAP_C"].flatMap({
                CHAPValue.decode($0, byteCounts: Self.challengeByteCounts)
            }), challenge != own.bytes, !environment.isOutstanding(challenge: challenge)
        else { throw .authenticationFailure }
        let response = own.algorithm.response(
            identifier: identifier, secret: mutual.secret, challenge: challenge)
        return [
            TextPair("CHAP_N", mutual.userName ?? targetName ?? name),
            TextPair("CHAP_R", CHAPValue.encode(response)),
        ]
    }
}
