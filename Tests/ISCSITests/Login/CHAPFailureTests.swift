// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing
import Wire

/// Authentications that fail: always with the same status, always with the end of the login.
struct CHAPFailureTests {
    private func expectFailure(
        _ action: LoginStateMachine.Action, _ chap: CHAPHarness, _ comment: Comment? = nil,
        location: SourceLocation = #_sourceLocation
    ) {
        guard case .fail(let response, let text) = action else {
            Issue.record("\(comment ?? "") was not refused: \(action)", sourceLocation: location)
            return
        }
        #expect(response.status == 0x0201 && text.isEmpty, comment, sourceLocation: location)
        #expect(chap.login.environment.challenges.count == 0, comment, sourceLocation: location)
        #expect(chap.login.machine.authenticatedUserName == nil, comment, sourceLocation: location)
        #expect(chap.send([TextPair("CHAP_A", "5")]) == .close, comment, sourceLocation: location)
    }

    @Test func nobodyGoesAroundTheSecurityStage() throws {
        let operational = try CHAPHarness()
        expectFailure(operational.send(LoginHarness.names, CHAPHarness.toFullFeature), operational)
        let waiting = try CHAPHarness()
        let inOperational = LoginFlags(transit: false, current: .operational)
        expectFailure(waiting.send(LoginHarness.names, inOperational), waiting, "nothing is negotiated either")
        for flags in [CHAPHarness.toOperational, LoginFlags(transit: true, current: .security, next: .fullFeature)] {
            let silent = try CHAPHarness()
            expectFailure(silent.send(LoginHarness.names, flags), silent)
            let halfway = try CHAPHarness()
            _ = try halfway.challenge()
            expectFailure(halfway.send([], flags), halfway)
            let early = try CHAPHarness()
            _ = early.send(LoginHarness.names + [TextPair("AuthMethod", "CHAP")])
            expectFailure(early.send([TextPair("X-key", "1")], flags), early)
        }
        let jump = try CHAPHarness()
        _ = try jump.challenge()
        #expect(jump.send([], CHAPHarness.toFullFeature).status == 0x020b)
        #expect(jump.login.environment.challenges.count == 0)
    }

    @Test func onlyTheMethodThatWasDecidedOnIsAgreedOn() throws {
        for list in ["None", "KRB5,SRP", "", "chap", "CHAPX"] {
            let chap = try CHAPHarness()
            let action = chap.send(LoginHarness.names + [TextPair("AuthMethod", list)])
            #expect(action.status == 0x0201)
            #expect(action.pairs == [TextPair("AuthMethod", "Reject")], "\(list)")
        }
        // The initiator's order does not matter.
        let chap = try CHAPHarness()
        let action = chap.send(LoginHarness.names + [TextPair("AuthMethod", "None,CHAP")])
        #expect(action.pairs.contains(TextPair("AuthMethod", "CHAP")))
    }

    @Test func algorithmsThatAreNotAllowedAreNotTaken() throws {
        for list in ["", "56", "4", "9,10", "MD5", "5;6", "-5", String(repeating: "9,", count: 127)] {
            let chap = try CHAPHarness()
            _ = chap.send(LoginHarness.names + [TextPair("AuthMethod", "CHAP")])
            expectFailure(chap.send([TextPair("CHAP_A", list)]), chap, "\(list)")
        }
        let strict = try CHAPHarness()
        strict.login.environment.chapAlgorithms = CHAPAlgorithm.atLeast(.sha256)
        _ = strict.send(LoginHarness.names + [TextPair("AuthMethod", "CHAP")])
        expectFailure(strict.send([TextPair("CHAP_A", "5,6")]), strict)
    }

    @Test func stepsComeInTheirOrderAndOnce() throws {
        let response = "0x" + String(repeating: "ab", count: 32)
        let proof = [TextPair("CHAP_N", CHAPHarness.user), TextPair("CHAP_R", response)]
        let early: [[TextPair]] = [
            proof, [TextPair("CHAP_R", response)], [TextPair("CHAP_N", "a")], [TextPair("CHAP_A", "5")] + proof,
            [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x00")], [TextPair("CHAP_X", "1")],
            [TextPair("CHAP_A", "5"), TextPair("CHAP_A", "5")],
        ]
        for pairs in early {
            let chap = try CHAPHarness()
            _ = chap.send(LoginHarness.names + [TextPair("AuthMethod", "CHAP")])
            expectFailure(chap.send(pairs), chap, "\(pairs)")
        }
        let before = try CHAPHarness()
        expectFailure(before.send(LoginHarness.names + proof), before)
        for extra in ["CHAP_A", "CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C", "CHAP_X"] {
            let chap = try CHAPHarness()
            let challenge = try chap.challenge()
            let good = CHAPValue.encode(challenge.response())
            expectFailure(chap.prove(good, [TextPair(extra, "5")]), chap, "\(extra)")
        }
        for missing in ["CHAP_N", "CHAP_R"] {
            let chap = try CHAPHarness()
            let challenge = try chap.challenge()
            let pairs = [
                TextPair("CHAP_N", CHAPHarness.user), TextPair("CHAP_R", CHAPValue.encode(challenge.response())),
            ]
            expectFailure(chap.send(pairs.filter { $0.key != missing }), chap, "\(missing)")
        }
        let mine = [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x" + String(repeating: "5a", count: 16))]
        for more in [[TextPair("CHAP_A", "5")], mine, [TextPair("CHAP_X", "1")]] {
            let again = try CHAPHarness()
            let challenge = try again.challenge()
            _ = again.prove(CHAPValue.encode(challenge.response()), [], CHAPHarness.security)
            #expect(again.send(more).status == 0x0201, "a proof is not followed by another one")
        }
        let fifth = try CHAPHarness()
        let challenge = try fifth.challenge()
        expectFailure(fifth.prove(CHAPValue.encode(challenge.response()), mine + [TextPair("CHAP_X", "1")]), fifth)
    }

    @Test func wrongSecretsAndUnknownUsersLookAlike() throws {
        let wrong = try CHAPHarness()
        let first = try wrong.challenge()
        let one = wrong.prove(CHAPValue.encode(first.response(CHAPSecret("another-secret"))))
        let unknown = try CHAPHarness()
        let second = try unknown.challenge()
        let two = unknown.prove(CHAPValue.encode(second.response()), user: "nobody")
        let nobody = try CHAPHarness([])
        let third = try nobody.challenge()
        let three = nobody.prove(CHAPValue.encode(third.response()))
        #expect(one == two && two == three)
        expectFailure(one, wrong)
        expectFailure(three, nobody)
        let empty = try CHAPHarness()
        let fourth = try empty.challenge()
        expectFailure(empty.prove(CHAPValue.encode(fourth.response()), user: ""), empty)
    }

    @Test func everyBitOfTheResponseCounts() throws {
        for bit in 0..<128 {
            let chap = try CHAPHarness()
            var response = try chap.challenge("5").response()
            response[bit / 8] ^= 1 << (bit % 8)
            expectFailure(chap.prove(CHAPValue.encode(response)), chap, "bit \(bit)")
        }
    }

    @Test func malformedResponsesAreRefusedBeforeTheyAreDecoded() throws {
        let forms: [(String) -> String] = [
            { _ in "" }, { _ in "0x" }, { _ in "0b" }, { String($0.dropLast()) }, { String($0.dropLast(2)) },
            { $0 + "0" }, { $0 + "00" }, { "0x00" + $0.dropFirst(2) }, { String($0.dropFirst(2)) },
            { $0.dropLast() + "g" }, { "0b" + $0.dropFirst(2) }, { $0 + String(repeating: "00", count: 900) },
            { _ in "0x" + String(repeating: "00", count: 1024) }, { _ in "0x" + String(repeating: "0", count: 3000) },
            { _ in "0b" + String(repeating: "AAAA", count: 500) }, { _ in "0bAAAAAAAAAAAAAAAAAAAAAA=" },
            { _ in "0bAAAAAAAAAAAAAAAAAAAAAAA" }, { _ in "0b====" },
        ]
        for (index, form) in forms.enumerated() {
            let chap = try CHAPHarness()
            let good = CHAPValue.encode(try chap.challenge("5").response())
            expectFailure(chap.prove(form(good)), chap, "form \(index)")
        }
    }

    @Test func aFloodOfTextIsAFailedAuthentication() throws {
        let chap = try CHAPHarness()
        _ = try chap.challenge()
        let continued = LoginFlags(transit: false, isContinued: true, current: .security)
        let portion = Array("CHAP_R=0x".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 8000)
        #expect(chap.login.send(continued, data: portion).status == 0)
        #expect(chap.login.send(continued, data: portion).status == 0)
        expectFailure(chap.login.send(continued, data: portion), chap)
        for text in ["CHAP_N\0", "=x\0", "CHAP_N=\u{1}\0", "CHAP_N=" + String(repeating: "n", count: 256)] {
            let malformed = try CHAPHarness()
            _ = try malformed.challenge()
            expectFailure(malformed.login.send(CHAPHarness.toOperational, data: Array(text.utf8)), malformed, "\(text)")
        }
    }

    @Test func malformedChallengesOfTheInitiatorAreRefused() throws {
        let good = "0x" + String(repeating: "5a", count: 16)
        let pairs: [[TextPair]] = [
            [TextPair("CHAP_I", "1")], [TextPair("CHAP_C", good)],
            [TextPair("CHAP_I", "256"), TextPair("CHAP_C", good)],
            [TextPair("CHAP_I", "-1"), TextPair("CHAP_C", good)],
            [TextPair("CHAP_I", ""), TextPair("CHAP_C", good)], [TextPair("CHAP_I", "1x"), TextPair("CHAP_C", good)],
            [TextPair("CHAP_I", "18446744073709551617"), TextPair("CHAP_C", good)],
            [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "")], [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x")],
            [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x1")],
            [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0b====")],
            [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x" + String(repeating: "00", count: 1025))],
        ]
        for more in pairs {
            let chap = try CHAPHarness()
            let challenge = try chap.challenge()
            expectFailure(chap.prove(CHAPValue.encode(challenge.response()), more), chap, "\(more)")
        }
        let longest = try CHAPHarness()
        let challenge = try longest.challenge()
        let value = "0x" + String(repeating: "00", count: 1024)
        let action = longest.prove(
            CHAPValue.encode(challenge.response()), [TextPair("CHAP_I", "1"), TextPair("CHAP_C", value)])
        #expect(action.pairs.map(\.key) == ["CHAP_N", "CHAP_R"])
    }

    @Test func doesNotAuthenticateItselfWithoutASecretOrToStrangers() throws {
        let mine = [TextPair("CHAP_I", "1"), TextPair("CHAP_C", "0x" + String(repeating: "5a", count: 16))]
        let oneWay = try CHAPHarness([CHAPHarness.credentials(isMutual: false)])
        let first = try oneWay.challenge()
        expectFailure(oneWay.prove(CHAPValue.encode(first.response()), mine), oneWay)
        let stranger = try CHAPHarness()
        let second = try stranger.challenge()
        expectFailure(stranger.prove(CHAPValue.encode(second.response(CHAPSecret("another-secret"))), mine), stranger)
    }

    @Test func neverAnswersAChallengeOfItsOwn() throws {
        let environment = TestEnvironment()
        let own = try CHAPHarness(environment: environment)
        let challenge = try own.challenge()
        let reflected = [TextPair("CHAP_I", "1"), TextPair("CHAP_C", base64(challenge.bytes))]
        expectFailure(own.prove(CHAPValue.encode(challenge.response()), reflected), own)

        let victim = try CHAPHarness(environment: environment)
        let asked = try victim.challenge()
        let other = try CHAPHarness(environment: environment)
        let mine = try other.challenge()
        let crossed = [TextPair("CHAP_I", String(asked.identifier)), TextPair("CHAP_C", CHAPValue.encode(asked.bytes))]
        #expect(other.prove(CHAPValue.encode(mine.response()), crossed).status == 0x0201)
        #expect(environment.challenges.count == 1, "the victim's is still outstanding")
        #expect(victim.prove(CHAPValue.encode(asked.response())).status == 0)
    }

    @Test func forgetsTheChallengesOfConnectionsThatEnd() throws {
        let chap = try CHAPHarness()
        _ = try chap.challenge()
        #expect(chap.login.environment.challenges.count == 1)
        chap.login.machine.abandon(environment: chap.login.environment)
        chap.login.machine.abandon(environment: chap.login.environment)
        #expect(chap.login.environment.challenges.count == 0)
        #expect(chap.send([]) == .close)
        let foreign = try CHAPHarness()
        _ = try foreign.challenge()
        let machine = foreign.login.machine.receive(
            NOPOut().encoded(), data: [], environment: foreign.login.environment)
        #expect(machine == .close && foreign.login.environment.challenges.count == 0)
    }

    @Test func challengesAreFresh() throws {
        let environment = TestEnvironment()
        var seen: Set<[UInt8]> = []
        for _ in 0..<50 { seen.insert(try CHAPHarness(environment: environment).challenge().bytes) }
        #expect(seen.count == 50)
    }
}
