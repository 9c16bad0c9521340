// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Platform
import SCSI
import Wire

/// The login phase, and the beginning of a session.
extension Connection: LoginEnvironment {
    var acceptsLogins: Bool { owner.acceptsLogins }

    func findTarget(named name: String) -> TargetLookup {
        if owner.targets[name] != nil { return .found(portalGroupTag: TargetPort.portalGroupTag) }
        // Before the first list nobody knows what there is; the initiator is told to come back.
        return owner.areTargetsKnown ? .notFound : .unavailable
    }

    func access(to target: String?, initiator: String) -> LoginAccess {
        let rules = owner.accessRules
        guard let target else { return rules.discovery(by: initiator, at: peer.host) }
        guard let volume = owner.targets[target]?.volumeName else { return .refused }
        return rules.access(to: volume, initiator, at: peer.host)
    }

    var chapAlgorithms: Set<CHAPAlgorithm> { owner.accessRules.algorithms }
    func randomBytes(_ count: Int) -> [UInt8] { Randomness.bytes(count: count) }
    func remember(challenge: [UInt8]) { owner.challenges.insert(challenge) }
    func forget(challenge: [UInt8]) { owner.challenges.remove(challenge) }
    func isOutstanding(challenge: [UInt8]) -> Bool { owner.challenges.contains(challenge) }

    func receiveLogin(_ header: HeaderBytes, data: [UInt8]) {
        if heldLogin == nil, !login.hasBegun, owner.needsFreshTargets(self) {
            heldLogin = (header, data)
            return enter(.holdingLogin)
        }
        carryOut(loginActionFor(header, data))
    }

    /// The list of targets is fresh, or as fresh as it gets.
    func continueLogin() {
        guard phase == .holdingLogin, let (header, data) = heldLogin else { return }
        phase = .login
        carryOut(loginActionFor(header, data))
        heldLogin = nil
        process()
    }

    private func loginActionFor(_ header: HeaderBytes, _ data: [UInt8]) -> LoginStateMachine.Action {
        login.receive(header, data: data, environment: self)
    }

    private func carryOut(_ action: LoginStateMachine.Action) {
        switch action {
        case .answer(let response, let text):
            output.writer.append(response, data: text)
            owner.hasOutput(self)
        case .establish(let identity, let tsih, let connectionID):
            enter(.establishing)
            owner.establish(identity, tsih: tsih, connectionID: connectionID, for: self)
        case .fail(let response, let text):
            owner.loginFailed(response.status, self)
            output.writer.append(response, data: text)
            closeAfterOutput(.loginFailed)
        case .close:
            owner.loginFailed(nil, self)
            close(.loginFailed)
        }
    }

    /// An initiator's name proves nothing: who knows a user's secret does, or who answers from an address.
    var provenIdentity: String { login.authenticatedUserName.map { "user \($0)" } ?? "address \(peer.host)" }

    func refuse(_ status: LoginStatus) {
        guard phase == .establishing else { return }
        carryOut(login.refuse(status))
    }

    /// Nothing of an older session can be applied any more: the new one begins.
    func admit(_ session: Session) {
        guard phase == .establishing else { return }
        self.session = session
        session.userName = login.authenticatedUserName
        let windowDepth = owner.configuration.limits.windowDepth
        carryOut(login.admit(tsih: session.tsih))
        let machine = FullFeatureStateMachine(
            identity: session.identity, connectionID: session.connectionID, parameters: login.parameters,
            windowDepth: windowDepth, expCmdSN: login.expCmdSN, statSN: login.statSN)
        self.machine = machine
        slots = Array(repeating: TaskSlot(), count: machine.slotCount)
        framer.beginFullFeaturePhase(
            dataSegmentLimit: max(login.parameters.targetDataSegmentLimit, PDUFramer.loginDataSegmentLimit),
            digests: login.parameters.digests)
        // Digests begin with the first PDU behind the answer just written.
        output.writer.digests = login.parameters.digests
        owner.counters.logins += 1
        enter(.fullFeature)
        keepAlive.heard(at: owner.now)
        process()
    }
}
