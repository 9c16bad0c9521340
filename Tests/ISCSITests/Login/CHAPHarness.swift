// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

/// Plays an initiator that authenticates itself.
struct CHAPHarness {
    static let user = "host-user"
    static let secret = CHAPSecret("initiator-secr")
    static let targetSecret = CHAPSecret("target-secret!")
    static let security = LoginFlags(transit: false, current: .security)
    static let toOperational = LoginFlags(transit: true, current: .security, next: .operational)
    static let toFullFeature = LoginFlags(transit: true, current: .operational, next: .fullFeature)

    let login: LoginHarness

    struct Challenge {
        var algorithm: CHAPAlgorithm
        var identifier: UInt8
        var bytes: [UInt8]

        init?(_ pairs: [TextPair]) {
            let values = Dictionary(pairs.map { ($0.key, $0.value) }) { first, _ in first }
            guard let number = values["CHAP_A"].flatMap({ UInt8($0) }),
                let algorithm = CHAPAlgorithm(rawValue: number),
                let identifier = values["CHAP_I"].flatMap({ UInt8($0) }),
                let bytes = values["CHAP_C"].flatMap({ CHAPValue.decode($0, byteCounts: 1...1024) })
            else { return nil }
            (self.algorithm, self.identifier, self.bytes) = (algorithm, identifier, bytes)
        }

        func response(_ secret: CHAPSecret = CHAPHarness.secret) -> [UInt8] {
            algorithm.response(identifier: identifier, secret: secret, challenge: bytes)
        }
    }

    init(_ credentials: [CHAPCredentials]? = nil, environment: TestEnvironment = TestEnvironment()) throws {
        environment.access = .chap(try credentials ?? [Self.credentials()])
        login = LoginHarness(environment: environment)
    }

    static func credentials(
        user: String? = user, secret: CHAPSecret = secret, isMutual: Bool = true
    ) throws -> CHAPCredentials {
        try CHAPCredentials(
            userName: user, secret: secret, mutual: isMutual ? .init(userName: "gateway", secret: targetSecret) : nil)
    }

    func send(_ pairs: [TextPair], _ flags: LoginFlags = Self.security) -> LoginStateMachine.Action {
        login.send(flags, pairs)
    }

    /// The first two requests.
    func challenge(_ algorithms: String = "7", _ flags: LoginFlags = Self.security) throws -> Challenge {
        let method = send(LoginHarness.names + [TextPair("AuthMethod", "CHAP,None")], flags)
        #expect(method.pairs.contains(TextPair("AuthMethod", "CHAP")))
        let answer = send([TextPair("CHAP_A", algorithms)], flags)
        #expect(answer.answered?.response.flags == Self.security, "no transit before the proof")
        return try #require(Challenge(answer.pairs))
    }

    /// The third request.
    func prove(
        _ response: String, user: String = Self.user, _ more: [TextPair] = [],
        _ flags: LoginFlags = Self.toOperational
    ) -> LoginStateMachine.Action {
        send([TextPair("CHAP_N", user), TextPair("CHAP_R", response)] + more, flags)
    }
}
