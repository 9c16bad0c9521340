// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing
import Wire

/// Authentications that succeed.
struct CHAPLoginTests {
    @Test func admitsWhoeverProvesTheSecret() throws {
        for algorithm in CHAPAlgorithm.allCases {
            let chap = try CHAPHarness()
            let challenge = try chap.challenge(String(algorithm.rawValue), CHAPHarness.toOperational)
            #expect(challenge.algorithm == algorithm && challenge.bytes.count == algorithm.challengeByteCount)
            #expect(chap.login.environment.challenges.contains(challenge.bytes))
            #expect(chap.login.machine.authenticatedUserName == nil)
            let proven = chap.prove(CHAPValue.encode(challenge.response()))
            #expect(proven.answered?.response.flags == CHAPHarness.toOperational)
            #expect(proven.pairs.isEmpty && proven.status == 0)
            #expect(chap.login.machine.authenticatedUserName == CHAPHarness.user)
            #expect(chap.login.environment.challenges.count == 0)
            guard case .establish = chap.send([TextPair("HeaderDigest", "None")], CHAPHarness.toFullFeature) else {
                Issue.record("\(algorithm)")
                continue
            }
            #expect(chap.login.machine.admit(tsih: 1).status == 0)
        }
    }

    @Test func hasTheAnswersOfAnotherImplementation() throws {
        let environment = TestEnvironment()
        environment.scripted = [0x27] + [UInt8](0...15)
        let credentials = try CHAPCredentials(
            userName: "a", secret: CHAPSecret("open sesame 15!"), mutual: .init(secret: CHAPSecret("0123456789ab")))
        let chap = try CHAPHarness([credentials], environment: environment)
        _ = chap.send(LoginHarness.names + [TextPair("AuthMethod", "CHAP")])
        #expect(
            chap.send([TextPair("CHAP_A", "5,6,7,8")]).pairs == [
                TextPair("CHAP_A", "5"), TextPair("CHAP_I", "39"),
                TextPair("CHAP_C", "0x000102030405060708090a0b0c0d0e0f"),
            ])
        let own = (UInt8(224)...255).reversed()
        let action = chap.prove(
            "0xDADCD296E48528716FFB9D0E4248328C", user: "a",
            [TextPair("CHAP_I", "255"), TextPair("CHAP_C", CHAPValue.encode(Array(own)))])
        #expect(
            action.pairs == [
                TextPair("CHAP_N", TestEnvironment.target),
                TextPair("CHAP_R", "0x5fe22e7f1471308f5c630c42d9fdf13d"),
            ])
        #expect(action.answered?.response.flags == CHAPHarness.toOperational)
    }

    @Test func takesResponsesInBase64() throws {
        for algorithms in ["5", "6", "7", "8"] {
            let chap = try CHAPHarness()
            let challenge = try chap.challenge(algorithms)
            let mine = [UInt8](repeating: 9, count: 24)
            let action = chap.prove(
                base64(challenge.response()), [TextPair("CHAP_I", "0x0"), TextPair("CHAP_C", base64(mine))])
            let expected = challenge.algorithm.response(
                identifier: 0, secret: CHAPHarness.targetSecret, challenge: mine)
            #expect(
                action.pairs == [TextPair("CHAP_N", "gateway"), TextPair("CHAP_R", CHAPValue.encode(expected))])
        }
    }

    @Test func comparesUserNamesLiterally() throws {
        for user in ["0x6162", "0bYWJj", "a=b,c", "ü", String(repeating: "u", count: 255)] {
            for (sent, isGood) in [(user, true), ("ab", false), ("abc", false), (user.uppercased(), false)] {
                let chap = try CHAPHarness([CHAPHarness.credentials(user: user)])
                let challenge = try chap.challenge()
                let action = chap.prove(CHAPValue.encode(challenge.response()), user: sent)
                #expect(action.status == (isGood ? 0 : 0x0201), "\(user) as \(sent)")
            }
        }
        // Equal characters in different bytes are different names.
        let composed = try CHAPHarness([CHAPHarness.credentials(user: "\u{fc}")])
        let challenge = try composed.challenge()
        #expect(composed.prove(CHAPValue.encode(challenge.response()), user: "u\u{308}").status == 0x0201)
    }

    @Test func takesAnyNameWhenNoneIsDemandedAndAnyOfSeveralCredentials() throws {
        let any = try CHAPHarness([CHAPHarness.credentials(user: nil)])
        let challenge = try any.challenge()
        #expect(any.prove(CHAPValue.encode(challenge.response()), user: LoginHarness.initiator).status == 0)
        #expect(any.login.machine.authenticatedUserName == LoginHarness.initiator)

        let others = ["first-secret-1", "second-secret-2"].map(CHAPSecret.init)
        for (index, secret) in others.enumerated() {
            let candidates = try others.enumerated().map {
                try CHAPHarness.credentials(user: "user\($0.offset)", secret: $0.element)
            }
            let chap = try CHAPHarness(candidates)
            let challenge = try chap.challenge()
            let response = CHAPValue.encode(challenge.response(secret))
            #expect(chap.prove(response, user: "user\(index)").status == 0)
            let crossed = try CHAPHarness(candidates)
            let another = try crossed.challenge()
            #expect(
                crossed.prove(CHAPValue.encode(another.response(secret)), user: "user\(1 - index)").status == 0x0201)
        }
    }

    @Test func leavesTheSecurityStageLaterOrStraightToFullFeature() throws {
        let later = try CHAPHarness()
        let challenge = try later.challenge()
        let proven = later.prove(CHAPValue.encode(challenge.response()), [], CHAPHarness.security)
        #expect(proven.answered?.response.flags == CHAPHarness.security)
        #expect(later.send([], CHAPHarness.toOperational).answered?.response.flags == CHAPHarness.toOperational)

        let direct = try CHAPHarness()
        let flags = LoginFlags(transit: true, current: .security, next: .fullFeature)
        let another = try direct.challenge("5", flags)
        guard case .establish = direct.prove(CHAPValue.encode(another.response()), [], flags) else {
            Issue.record("not established")
            return
        }
    }

    @Test func takesTheAlgorithmsTogetherWithTheMethod() throws {
        let chap = try CHAPHarness()
        let answer = chap.send(LoginHarness.names + [TextPair("CHAP_A", "5"), TextPair("AuthMethod", "CHAP")])
        let challenge = try #require(CHAPHarness.Challenge(answer.pairs))
        #expect(chap.prove(CHAPValue.encode(challenge.response())).status == 0)
    }

    @Test func authenticatesDiscoveryWithCredentialsOfItsOwn() throws {
        let environment = TestEnvironment()
        let secret = CHAPSecret("discovery-secr")
        environment.discoveryAccess = .chap([
            try CHAPCredentials(secret: secret, mutual: .init(secret: CHAPHarness.targetSecret))
        ])
        let login = LoginHarness(environment: environment)
        let names = [TextPair("InitiatorName", LoginHarness.initiator), TextPair("SessionType", "Discovery")]
        #expect(login.send(CHAPHarness.toFullFeature, names).status == 0x0201)
        let again = LoginHarness(environment: environment)
        _ = again.send(CHAPHarness.security, names + [TextPair("AuthMethod", "CHAP")])
        let challenge = try #require(
            CHAPHarness.Challenge(again.send(CHAPHarness.security, [TextPair("CHAP_A", "7")]).pairs))
        let action = again.send(
            CHAPHarness.toOperational,
            [
                TextPair("CHAP_N", "me"), TextPair("CHAP_R", CHAPValue.encode(challenge.response(secret))),
                TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x01"),
            ])
        #expect(action.status == 0 && action.pairs.first == TextPair("CHAP_N", "me"))
    }

    /// Whatever the bounds of its PDUs, a text is one text.
    @Test func collectsEachStepFromFragmentsCutAnywhere() throws {
        func steps(_ challenge: CHAPHarness.Challenge?) -> [TextPair] {
            guard let challenge else { return [TextPair("CHAP_A", "5")] }
            return [
                TextPair("CHAP_N", CHAPHarness.user), TextPair("CHAP_R", CHAPValue.encode(challenge.response())),
                TextPair("CHAP_I", "3"), TextPair("CHAP_C", "0x0102030405060708090a0b0c0d0e0f10"),
            ]
        }
        for cut in 0...130 {
            let chap = try CHAPHarness()
            func send(_ pairs: [TextPair], _ flags: LoginFlags) -> LoginStateMachine.Action {
                let text = TextKeys.encode(pairs)
                let place = min(cut, text.count)
                let continued = LoginFlags(transit: false, isContinued: true, current: .security)
                #expect(chap.login.send(continued, data: Array(text[..<place])).pairs.isEmpty)
                return chap.login.send(flags, data: Array(text[place...]))
            }
            _ = send(LoginHarness.names + [TextPair("AuthMethod", "CHAP")], CHAPHarness.security)
            let challenge = try #require(CHAPHarness.Challenge(send(steps(nil), CHAPHarness.security).pairs))
            let action = send(steps(challenge), CHAPHarness.toOperational)
            #expect(action.pairs.map(\.key) == ["CHAP_N", "CHAP_R"], "cut at \(cut)")
        }
    }
}
