// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Logging
import Messages
import Platform
import SCSI
import Wire

/// How sessions begin and end, and task management. A session is a nexus at its volume's owner, who is told of both
/// ends: it holds what belongs to the nexus.
extension FrontendLoop {
    /// What waits for a `BarrierRequest`.
    struct Barrier {
        var volume: VolumeID
        /// Without this connection nobody waits for it; nil: it is always waited for.
        var connection: ConnectionID?
        /// Hears whether the owner has carried it out. If not, it did not take it: it has no room, or knows no such
        /// volume any more.
        var done: (Bool) -> Void
    }

    // MARK: Beginning

    func loginFailed(_ status: UInt16?, _ connection: Connection) {
        counters.countLoginFailure(status ?? 0)
        loginFailures.report(status, of: connection, at: now, to: parts.logger)
    }

    func establish(_ identity: SessionIdentity, tsih: UInt16, connectionID: UInt16, for connection: Connection) {
        let target = identity.targetName.flatMap { targets[$0] }
        guard identity.isDiscovery || target != nil else { return connection.refuse(.targetRemoved) }
        // Until its cache manager has listed it to this instance.
        if let target, links[target.manager.id] == nil { return connection.refuse(.serviceUnavailable) }
        let verdict = registry.admit(
            identity, tsih: tsih, connectionID: connectionID, target: target, connection: connection.id)
        switch verdict {
        case .refuse(let status): return connection.refuse(status)
        case .admit(let session): connection.establishing = session
        case .replace(let old, let session):
            connection.establishing = session
            connections[old.connection]?.close(.reinstated)
        }
        guard let target, let session = connection.establishing else { return admit(connection) }
        // Also when no session is known here: another frontend, or this one before it was restarted, may have sent
        // commands of this nexus that are not applied yet.
        barrier(
            .sessionBegins(initiatorPort: identity.initiatorPort, access: connection.provenIdentity), target,
            nexus: session.nexus, for: connection.id
        ) { [weak self, weak connection] isDone in
            guard let connection else { return }
            guard isDone else { return connection.refuse(.outOfResources) }
            self?.admit(connection)
        }
    }

    private func admit(_ connection: Connection) {
        guard let session = connection.establishing, connection.phase == .establishing else { return }
        connection.establishing = nil
        parts.logger.info(
            "Session begun",
            metadata: [
                "initiator": "\(session.identity.initiatorName)",
                "target": "\(session.identity.targetName ?? "discovery")", "peer": "\(connection.peer)",
            ])
        if let target = session.target {
            session.figures = initiators.begin(
                session.identity.initiatorName, volume: target.volume, volumeName: target.volumeName)
        }
        connection.admit(session)
    }

    // MARK: Ending

    /// Its connection is closed.
    func end(_ session: Session, of connection: Connection, _ reason: CloseReason) {
        registry.remove(session)
        // An instance that was revoked is not listened to; what its nexuses had is gone with it. A target that is gone
        // may have got another name: its volume still knows the nexus.
        if let target = session.target, !session.isLost, reason != .revoked {
            session.isLost = true
            barrier(.nexusLoss, target, nexus: session.nexus, for: nil) { _ in }
        }
        guard connection.session === session else { return }
        if let figures = session.figures { initiators.end(figures) }
        parts.logger.info(
            "Session ended",
            metadata: [
                "initiator": "\(session.identity.initiatorName)",
                "target": "\(session.identity.targetName ?? "discovery")", "peer": "\(connection.peer)",
                "reason": "\(reason.rawValue)",
            ])
    }

    func logOut(_ request: LogoutRequest, for connection: Connection) {
        guard let session = connection.session else { return }
        let answer = { [weak self, weak connection] (_: Bool) in
            guard let connection, !connection.isClosed else { return }
            self?.registry.remove(session)
            connection.machine?.answerLogout(request, response: 0, &connection.output.writer)
            connection.closeAfterOutput(.loggedOut)
        }
        guard let target = session.target else { return answer(true) }
        session.isLost = true
        barrier(.nexusLoss, target, nexus: session.nexus, for: nil, then: answer)
    }

    // MARK: Task management

    func carryOut(_ management: TaskManagement, for connection: Connection) {
        guard let session = connection.session, let target = session.target else { return }
        counters.taskManagement += 1
        session.isResetting = management.function == .targetColdReset
        let answer = { [weak self, weak connection] (isDone: Bool) in
            guard let connection, !connection.isClosed else { return }
            connection.answer(management, isDone ? .complete : .rejected)
            guard isDone, management.function == .targetColdReset else {
                session.isResetting = false
                return
            }
            // The other sessions end with the next list.
            connection.closeAfterOutput(.targetReset)
            self?.links.refresh()
        }
        guard management.function.concernsAllNexuses else { return settle(session, connection, then: answer) }
        // The tasks of the other nexuses are the owner's to end: it alone knows those of other frontends.
        let abortCount = session.pendingAborts.count
        barrier(.taskManagement(management.function), target, nexus: session.nexus, for: connection.id) {
            [weak connection] isDone in
            if isDone {
                session.pendingAborts.settle(through: abortCount)
                connection?.releaseAborted()
            }
            answer(isDone)
        }
    }

    /// Calls when no request of an aborted task of this session can be applied any more, unless its connection is gone
    /// by then.
    private func settle(_ session: Session, _ connection: Connection, then done: @escaping (Bool) -> Void) {
        guard session.pendingAborts.needsBarrier, let target = session.target else { return done(true) }
        let abortCount = session.pendingAborts.count
        barrier(.tasksAborted, target, nexus: session.nexus, for: connection.id) {
            [weak self, weak connection] isDone in
            guard isDone else { return done(false) }
            session.pendingAborts.settle(through: abortCount)
            connection?.releaseAborted()
            // The barrier took everything of the nexus with it that waited; what was not aborted is sent again.
            self?.links[target.manager.id]?.repeatNow(nexus: session.nexus)
            done(true)
        }
    }

    private func barrier(
        _ request: BarrierRequest, _ target: Target, nexus: UInt64, for connection: ConnectionID?,
        then done: @escaping (Bool) -> Void
    ) {
        lastBarrier += 1
        let id = lastBarrier
        barriers[id] = Barrier(volume: target.volume, connection: connection, done: done)
        links[target.manager.id]?.submitBarrier(request, volume: target.volume, nexus: nexus, owner: .barrier(id))
        loop.requestIteration()
    }
}

extension TaskManagementFunction {
    fileprivate var concernsAllNexuses: Bool {
        switch self {
        case .clearTaskSet, .logicalUnitReset, .targetWarmReset, .targetColdReset: true
        case .abortTask, .abortTaskSet, .clearACA, .taskReassign: false
        }
    }
}
