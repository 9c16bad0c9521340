// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The login phase of one connection, target side (RFC 7143 §6.3, §11.12-§11.13). It takes login requests and
/// returns what to do; the last answer waits for `admit`, because the session must first be made and an old one end.
package struct LoginStateMachine {
    package enum Action: Equatable, Sendable {
        /// Send and wait for the next request.
        case answer(LoginResponse, text: [UInt8])
        /// All is agreed. Make the session, then call `admit` or `refuse` and send what that returns.
        case establish(SessionIdentity, tsih: UInt16, connectionID: UInt16)
        /// Send, then close.
        case fail(LoginResponse, text: [UInt8])
        /// Close without an answer.
        case close
    }

    /// RFC 7143 sets no bound; real logins take 2-4 requests.
    package static let requestLimit = 32

    package private(set) var identity: SessionIdentity?
    package private(set) var statSN = SerialNumber(1)
    /// The first command's CmdSN: logins do not consume any.
    package private(set) var expCmdSN = SerialNumber(0)
    package var parameters: SessionParameters { negotiation.parameters }
    package var hasBegun: Bool { requestCount > 0 }
    /// CHAP_N of an initiator that has proven who it is.
    package var authenticatedUserName: String? { exchange?.userName }

    private enum Phase: Equatable { case leading, negotiating, establishing, over }
    private let windowDepth: Int
    private var phase = Phase.leading
    private var stage = LoginFlags.Stage.security
    var negotiation: Negotiation
    var access = LoginAccess.refused
    /// Begins when CHAP is agreed on.
    var exchange: CHAPExchange?
    /// What the answer says besides the status when the login fails now.
    var failureText: [TextPair] = []
    private var declared: [String: String] = [:]
    private var fragments: [UInt8] = []
    private var requestCount = 0
    private var first = LoginRequest()
    private var last = LoginRequest()
    private var pendingText: [TextPair] = []
    private var portalGroupTag: UInt16?

    /// - Parameter windowDepth: how many commands the session will take at once, for MaxCmdSN.
    package init(limits: NegotiationLimits, windowDepth: Int) {
        negotiation = Negotiation(limits: limits)
        self.windowDepth = windowDepth
    }

    /// Any other PDU before the end of the login closes the connection without an answer.
    package mutating func receive(
        _ header: HeaderBytes, data: [UInt8], environment: some LoginEnvironment
    ) -> Action {
        guard let request = LoginRequest(decoding: header), phase == .leading || phase == .negotiating else {
            abandon(environment: environment)
            return .close
        }
        do throws(LoginStatus) {
            return try advance(request, data: data, environment: environment)
        } catch {
            abandon(environment: environment)
            return fail(error, text: TextKeys.encode(failureText))
        }
    }

    /// The connection ends before its login does: nothing of it is remembered. Harmless at any time.
    package mutating func abandon(environment: some LoginEnvironment) {
        phase = .over
        exchange?.abandon(environment)
    }

    private mutating func advance(
        _ request: LoginRequest, data: [UInt8], environment: some LoginEnvironment
    ) throws(LoginStatus) -> Action {
        let isLeading = requestCount == 0
        last = request
        if isLeading {
            first = request
            expCmdSN = request.cmdSN
            guard request.versionMinimum == 0 else { throw .unsupportedVersion }
            guard environment.acceptsLogins else { throw .serviceUnavailable }
        }
        requestCount += 1
        guard requestCount <= Self.requestLimit else { throw .initiatorError }
        guard request.isid == first.isid, request.tsih == first.tsih, request.connectionID == first.connectionID else {
            throw .invalidDuringLogin
        }
        let current = try checkStages(request, isLeading: isLeading)
        guard fragments.count + data.count <= TextKeys.exchangeByteLimit else { throw malformedText }
        fragments.append(contentsOf: data)
        if request.flags.isContinued {
            return .answer(response(LoginFlags(transit: false, current: current)), text: [])
        }
        let pairs = try parseFragments()
        let offers = try declare(pairs)
        if phase == .leading {
            try identify(environment)
            guard !access.requiresAuthentication || current == .security else { throw .authenticationFailure }
        }
        phase = .negotiating
        let answers = try negotiate(offers, in: current, environment)
        let text = TextKeys.encode(answers)
        guard text.count <= PDUFramer.loginDataSegmentLimit else { throw .initiatorError }
        if negotiation.hasRejected {
            failureText = answers
            throw .initiatorError
        }
        guard request.flags.isTransit, let next = request.flags.next, try mayTransit(from: current, offers) else {
            return .answer(response(LoginFlags(transit: false, current: current)), text: text)
        }
        if next == .fullFeature {
            guard negotiation.hasRequiredDigests else { throw .initiatorError }
            guard let identity else { throw .targetError }
            phase = .establishing
            pendingText = answers
            return .establish(identity, tsih: request.tsih, connectionID: request.connectionID)
        }
        stage = next
        return .answer(response(LoginFlags(transit: true, current: current, next: next)), text: text)
    }

    private mutating func checkStages(
        _ request: LoginRequest, isLeading: Bool
    ) throws(LoginStatus) -> LoginFlags.Stage {
        guard let current = request.flags.current, current != .fullFeature else { throw .invalidDuringLogin }
        if isLeading { stage = current }
        guard current == stage else { throw .invalidDuringLogin }
        guard request.flags.isTransit else { return current }
        guard !request.flags.isContinued, let next = request.flags.next, next.rawValue > current.rawValue else {
            throw .invalidDuringLogin
        }
        return current
    }

    private mutating func parseFragments() throws(LoginStatus) -> [TextPair] {
        defer { fragments.removeAll() }
        do throws(ISCSIError) {
            return try TextKeys.parse(fragments)
        } catch {
            throw malformedText
        }
    }

    /// While CHAP is under way, whatever is wrong is a failed authentication.
    private var malformedText: LoginStatus {
        exchange.map { $0.isAuthenticated } == false ? .authenticationFailure : .initiatorError
    }

    /// Takes out who is there and refuses keys that come twice. Initiators repeat the names in each stage and declare
    /// MaxRecvDataSegmentLength anew; everything else is said once (RFC 7143 §6.2).
    private mutating func declare(_ pairs: [TextPair]) throws(LoginStatus) -> [TextPair] {
        var offers: [TextPair] = []
        var seen: Set<String> = []
        for pair in pairs {
            let isIdentity = ["InitiatorName", "TargetName", "SessionType", "InitiatorAlias"].contains(pair.key)
            let isFirst = seen.insert(pair.key).inserted
            if let earlier = declared[pair.key] {
                if isIdentity, isFirst, earlier == pair.value { continue }
                guard !pair.key.hasPrefix("CHAP_") else { throw .authenticationFailure }
                guard pair.key == "MaxRecvDataSegmentLength" else { throw .initiatorError }
            }
            guard declared.count < 2 * TextKeys.pairLimit else { throw .initiatorError }
            declared[pair.key] = pair.value
            if !isIdentity { offers.append(pair) }
        }
        return offers
    }

    /// The leading request names the initiator and the target, or asks for a discovery session.
    private mutating func identify(_ environment: some LoginEnvironment) throws(LoginStatus) {
        guard let initiator = declared["InitiatorName"], !initiator.isEmpty else { throw .missingParameter }
        guard let initiatorName = TextValue.name(initiator) else { throw .initiatorError }
        switch declared["SessionType"] ?? "Normal" {
        case "Discovery":
            access = environment.access(to: nil, initiator: initiatorName)
            guard access != .refused else { throw .authorizationFailure }
            identity = SessionIdentity(initiatorName: initiatorName, isid: first.isid, targetName: nil)
        case "Normal":
            guard let target = declared["TargetName"], !target.isEmpty else { throw .missingParameter }
            guard let targetName = TextValue.name(target) else { throw .notFound }
            try find(targetName, for: initiatorName, environment)
            identity = SessionIdentity(initiatorName: initiatorName, isid: first.isid, targetName: targetName)
        default:
            throw .initiatorError
        }
    }

    /// A target that the initiator may not use is not found, whatever its state: names cannot be probed.
    private mutating func find(
        _ targetName: String, for initiatorName: String, _ environment: some LoginEnvironment
    ) throws(LoginStatus) {
        let lookup = environment.findTarget(named: targetName)
        switch lookup {
        case .notFound: throw .notFound
        case .unavailable: throw .serviceUnavailable  // Perhaps nobody knows yet who may use it.
        case .found, .removed, .moved: break
        }
        access = environment.access(to: targetName, initiator: initiatorName)
        guard access != .refused else { throw .notFound }
        switch lookup {
        case .found(let tag): portalGroupTag = tag
        case .moved(let address, let isPermanent):
            failureText = [TextPair("TargetAddress", address)]
            throw isPermanent ? .movedPermanently : .movedTemporarily
        case .removed, .notFound, .unavailable: throw .targetRemoved
        }
    }

    private mutating func negotiate(
        _ offers: [TextPair], in stage: LoginFlags.Stage, _ environment: some LoginEnvironment
    ) throws(LoginStatus) -> [TextPair] {
        var answers: [TextPair] = []
        if let tag = portalGroupTag {
            // Once, in the first answer that knows the target (RFC 7143 §13.9).
            answers.append(TextPair("TargetPortalGroupTag", String(tag)))
            portalGroupTag = nil
        }
        switch stage {
        case .security: return answers + (try answerSecurity(offers, environment))
        case .operational, .fullFeature: return answers + (try negotiation.answer(offers))
        }
    }

    /// The final answer: the session exists under `tsih`, which is not 0.
    package mutating func admit(tsih: UInt16) -> Action {
        precondition(phase == .establishing && tsih != 0)
        phase = .over
        let current = last.flags.current ?? .operational
        var pdu = response(LoginFlags(transit: true, current: current, next: .fullFeature))
        pdu.tsih = tsih
        return .answer(pdu, text: TextKeys.encode(pendingText))
    }

    package mutating func refuse(_ status: LoginStatus) -> Action {
        fail(status, text: [])
    }

    private mutating func fail(_ status: LoginStatus, text: [UInt8]) -> Action {
        phase = .over
        var pdu = response(LoginFlags(transit: false, current: stage))
        pdu.status = status.rawValue
        return .fail(pdu, text: text)
    }

    private mutating func response(_ flags: LoginFlags) -> LoginResponse {
        var pdu = LoginResponse()
        pdu.flags = flags
        pdu.isid = last.isid
        pdu.tsih = last.tsih
        pdu.initiatorTaskTag = last.initiatorTaskTag
        pdu.sequence = TargetSequence(
            statSN: statSN, expCmdSN: expCmdSN, maxCmdSN: expCmdSN.advanced(by: windowDepth - 1))
        statSN = statSN.advanced(by: 1)
        return pdu
    }
}
