// SPDX-License-Identifier: Apache-2.0
import FuzzInitiator
import FuzzSupport
import ISCSI
import Wire

/// Keys and values of logins, their negotiation, and whole logins as sequences of requests.
@main
enum FuzzTextKeys: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var input = FuzzInput(input)
        switch input.choice(4) {
        case 0: parse(input.rest())
        case 1: values(&input)
        case 2: negotiate(&input)
        default: logIn(&input)
        }
    }

    private static func parse(_ bytes: [UInt8]) {
        guard let pairs = try? TextKeys.parse(bytes) else { return }
        precondition(pairs.count <= TextKeys.pairLimit)
        let encoded = TextKeys.encode(pairs)
        precondition(encoded.count <= bytes.count + 1, "the text has grown")
        precondition((try? TextKeys.parse(encoded)) == pairs, "pairs do not parse to themselves")
    }

    private static func values(_ input: inout FuzzInput) {
        let range = input.choice(64)...(64 + Int(input.integer(UInt16.self)))
        let text = String(decoding: input.rest(), as: UTF8.self)
        if let bytes = CHAPValue.decode(text, byteCounts: range) {
            precondition(range.contains(bytes.count), "the length was not checked")
            precondition(CHAPValue.decode(CHAPValue.encode(bytes), byteCounts: range) == bytes, "not stable")
        }
        if let number = TextValue.number(text) { precondition(TextValue.number(String(number)) == number) }
        if let name = TextValue.name(text) {
            precondition(name.utf8.count <= 223, "a long name")
            precondition(TextValue.name(name) == name, "a normal form that is not normal")
        }
        precondition(TextValue.list(text).joined(separator: ",") == text)
        if let algorithm = CHAPAlgorithm.choose(from: text, allowed: [.sha1, .sha3]) {
            precondition(algorithm == .sha1 || algorithm == .sha3, "an algorithm that is not allowed")
        }
    }

    static func limits(_ input: inout FuzzInput) -> NegotiationLimits {
        var limits = NegotiationLimits()
        let flags = input.byte()
        limits.requiresInitialR2T = flags & 1 != 0
        limits.allowsImmediateData = flags & 2 == 0
        limits.acceptsDigests = flags & 4 == 0
        limits.requiresHeaderDigest = flags & 12 == 8
        limits.requiresDataDigest = flags & 20 == 16
        limits.maxBurstByteCount = 512 << UInt64(input.choice(4))
        limits.firstBurstByteCount = min(limits.maxBurstByteCount, 512 << UInt64(input.choice(4)))
        limits.maxOutstandingR2T = 1 + UInt64(input.choice(4))
        limits.dataSegmentByteCount = 512 + input.choice(256)
        precondition(limits.problem == nil)
        return limits
    }

    private static func negotiate(_ input: inout FuzzInput) {
        let limits = limits(&input)
        var negotiation = Negotiation(limits: limits)
        let text = FuzzText()
        while !input.isAtEnd {
            guard let offers = try? TextKeys.parse(text.next(&input)) else { continue }
            guard let answers = try? negotiation.answer(offers) else { return }
            precondition(answers.count <= offers.count + 1, "more answers than questions")
            check(negotiation.parameters, limits)
        }
    }

    static func check(_ parameters: SessionParameters, _ limits: NegotiationLimits) {
        let hasSettled = parameters.maxBurstByteCount != 262_144
        precondition(parameters.firstBurstByteCount <= parameters.maxBurstByteCount, "FirstBurstLength")
        precondition(!hasSettled || UInt64(parameters.maxBurstByteCount) <= limits.maxBurstByteCount)
        precondition((512...16_777_215).contains(parameters.maxBurstByteCount))
        precondition((512...16_777_215).contains(parameters.firstBurstByteCount))
        precondition((512...16_777_215).contains(parameters.initiatorDataSegmentLimit))
        precondition((1...4).contains(parameters.maxOutstandingR2T), "MaxOutstandingR2T")
        precondition(parameters.secondsToWait <= 3600 && parameters.secondsToRetain == 0)
        precondition(limits.acceptsDigests || !parameters.headerDigest && !parameters.dataDigest)
    }

    private static func logIn(_ input: inout FuzzInput) {
        let environment = FuzzLoginEnvironment(&input)
        let limits = limits(&input)
        var login = LoginStateMachine(limits: limits, windowDepth: 1 + input.choice(8))
        var text = FuzzText()
        var answerCount = 0
        while !input.isAtEnd {
            var request = LoginRequest()
            request.isImmediate = true
            request.flags = LoginFlags(rawValue: input.pick([0x00, 0x81, 0x83, 0x87, 0x04, 0x40, 0x44, input.byte()]))
            request.tsih = UInt16(input.choice(2))
            request.versionMinimum = input.byte() == 0xff ? 1 : 0
            switch login.receive(request.encoded(), data: text.next(&input), environment: environment) {
            case .answer(_, let bytes):
                precondition(bytes.count <= PDUFramer.loginDataSegmentLimit, "a long answer")
                text.read(bytes)
                answerCount += 1
                precondition(answerCount <= LoginStateMachine.requestLimit, "an endless login")
            case .establish(let identity, _, _):
                precondition(
                    !environment.requiresCHAP || login.authenticatedUserName == FuzzLoginEnvironment.userName
                        || login.authenticatedUserName != nil, "nobody has proven anything")
                precondition(identity.targetName.map { TextValue.name($0) == $0 } ?? true)
                check(login.parameters, limits)
                guard case .answer(let final, let bytes) = login.admit(tsih: 7) else {
                    preconditionFailure("admitted, and refused")
                }
                precondition(final.tsih == 7 && bytes.count <= PDUFramer.loginDataSegmentLimit)
            case .fail(let response, let bytes):
                precondition(response.status != 0 && bytes.count <= PDUFramer.loginDataSegmentLimit)
                precondition(environment.challengeCount == 0, "a challenge is remembered for ever")
                return
            case .close:
                precondition(environment.challengeCount == 0, "a challenge is remembered for ever")
                return
            }
        }
        login.abandon(environment: environment)
        precondition(environment.challengeCount == 0, "a challenge is remembered for ever")
    }
}
