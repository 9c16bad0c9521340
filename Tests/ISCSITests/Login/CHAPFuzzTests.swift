// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

/// Valid logins with CHAP, mutated: nothing may trap, every answer is bounded, and nobody gets in without the secret.
struct CHAPFuzzTests {
    private enum Mutation: CaseIterable {
        case none, flipBit, dropByte, insertByte, cut, repeatPair, swapStep, flags, growValue, shuffle
    }

    private static func mutate(
        _ text: [UInt8], _ flags: inout LoginFlags, earlier: [UInt8], _ random: inout SeededRandom
    ) -> [UInt8] {
        var text = text
        guard !text.isEmpty else { return text }
        let place = random.below(text.count)
        switch Mutation.allCases[random.below(Mutation.allCases.count)] {
        case .none: break
        case .flipBit: text[place] ^= 1 << UInt8(random.below(8))
        case .dropByte: text.remove(at: place)
        case .insertByte: text.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case .cut: text.removeSubrange(place...)
        case .repeatPair: text += text.split(separator: 0).first.map { Array($0) + [0] } ?? []
        case .swapStep: text = earlier
        case .flags: flags = LoginFlags(rawValue: UInt8(truncatingIfNeeded: random.next()))
        case .growValue: text.insert(contentsOf: [UInt8](repeating: 0x61, count: random.below(3000)), at: place)
        case .shuffle: text = text.split(separator: 0).shuffled(using: &random).flatMap { Array($0) + [0] }
        }
        return Array(text.prefix(8192))
    }

    @Test func nobodyGetsInWithoutTheSecret() throws {
        var (established, authenticated) = (0, 0)
        for seed in UInt64(0)..<6000 {
            var random = SeededRandom(seed: seed)
            let knowsSecret = random.oneIn(2)
            let chap = try CHAPHarness()
            let secret = knowsSecret ? CHAPHarness.secret : CHAPSecret("guessed-secret")
            var challenge: CHAPHarness.Challenge?
            var earlier: [UInt8] = []
            let isGentle = random.oneIn(3)
            exchange: for step in 0..<40 {
                var pairs: [TextPair] = []
                var flags = CHAPHarness.toOperational
                if step == 0 { pairs = LoginHarness.names + [TextPair("AuthMethod", "CHAP,None")] }
                if step == 1 { pairs = [TextPair("CHAP_A", "5,6,7,8")] }
                if step == 2, let challenge {
                    pairs = [
                        TextPair("CHAP_N", CHAPHarness.user),
                        TextPair("CHAP_R", CHAPValue.encode(challenge.response(secret))),
                        TextPair("CHAP_I", "7"), TextPair("CHAP_C", CHAPValue.encode(random.bytes(16))),
                    ]
                }
                if step > 2 { flags = CHAPHarness.toFullFeature }
                let isMutated = random.oneIn(isGentle ? 8 : 2)
                let plain = TextKeys.encode(pairs)
                let text = isMutated ? Self.mutate(plain, &flags, earlier: earlier, &random) : plain
                earlier = plain
                let action = chap.login.send(flags, data: text)
                switch action {
                case .answer(let response, let text):
                    #expect(text.count <= PDUFramer.loginDataSegmentLimit && response.status == 0)
                    #expect(!response.flags.isTransit || chap.login.machine.authenticatedUserName != nil)
                    challenge = challenge ?? CHAPHarness.Challenge(action.pairs)
                    #expect(chap.login.environment.challenges.count <= 1)
                case .establish:
                    #expect(knowsSecret && chap.login.machine.authenticatedUserName == CHAPHarness.user)
                    established += 1
                    break exchange
                case .fail(let response, let text):
                    #expect(response.status != 0 && text.count <= PDUFramer.loginDataSegmentLimit)
                    #expect(chap.login.environment.challenges.count == 0)
                    break exchange
                case .close:
                    #expect(chap.login.environment.challenges.count == 0)
                    break exchange
                }
            }
            if chap.login.machine.authenticatedUserName != nil {
                #expect(knowsSecret, "seed \(seed)")
                authenticated += 1
            }
        }
        #expect(established > 200 && authenticated >= established)
    }
}
