// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Platform

/// One session: an I_T nexus, or a discovery session. Its connection owns the transport.
final class Session {
    let identity: SessionIdentity
    let tsih: UInt16
    let target: Target?
    /// Names the nexus to the cache manager; the same for every session of this identity, through any frontend.
    let nexus: UInt64
    var pendingAborts = PendingAborts()
    /// The cache manager knows, or is being told, that the nexus is gone.
    var isLost = false
    /// Who it is by CHAP; nil: nobody asked.
    var userName: String?
    /// The target's when it began.
    let coldResetCount: UInt64
    /// What its commands are counted into; nil of a discovery session.
    var figures: InitiatorFigures?
    /// It has asked for a cold reset, and ends once it has the answer.
    var isResetting = false
    let connection: ConnectionID
    let connectionID: UInt16
    /// Since 1970.
    let beganMilliseconds = WallClock.millisecondsNow()

    init(
        identity: SessionIdentity, tsih: UInt16, target: Target?, connection: ConnectionID, connectionID: UInt16
    ) {
        self.identity = identity
        self.tsih = tsih
        self.target = target
        nexus = identity.nexus
        coldResetCount = target?.coldResetCount ?? 0
        self.connection = connection
        self.connectionID = connectionID
    }
}

/// The sessions of this frontend, by initiator, ISID and target. A login for a session that exists replaces it.
final class SessionRegistry {
    enum Verdict {
        case admit(Session)
        /// The old session has to be ended first: the same one, or the oldest of too many for discovery.
        case replace(Session, by: Session)
        case refuse(LoginStatus)
    }

    private let limits: FrontendLimits
    private var sessions: [SessionIdentity: Session] = [:]
    /// Oldest first. They have no nexus and nothing to take over; the ISID need not differ.
    private var discoverySessions: [Session] = []
    private var usedTSIHs: Set<UInt16> = []
    private var lastTSIH: UInt16 = 0

    init(limits: FrontendLimits) { self.limits = limits }

    var count: Int { sessions.count + discoverySessions.count }
    var normalSessions: some Collection<Session> { sessions.values }

    func sessions(of target: Target) -> [Session] { sessions.values.filter { $0.target === target } }

    /// - Parameter tsih: as the initiator sent it; not 0 when it believes that the session exists.
    func admit(
        _ identity: SessionIdentity, tsih: UInt16, connectionID: UInt16, target: Target?, connection: ConnectionID
    ) -> Verdict {
        let old = identity.isDiscovery ? oldestDiscoverySession : sessions[identity]
        if tsih != 0 {
            guard !identity.isDiscovery, let old, old.tsih == tsih else { return .refuse(.sessionDoesNotExist) }
            // A second connection would join the session; we offer one.
            guard old.connectionID == connectionID else { return .refuse(.tooManyConnections) }
        }
        if old == nil, !identity.isDiscovery {
            guard sessions.count < limits.sessions else { return .refuse(.outOfResources) }
            if let target {
                let others = sessions(of: target)
                let own = others.filter { $0.identity.initiatorName == identity.initiatorName }
                guard others.count < limits.sessionsPerTarget, own.count < limits.sessionsPerInitiator else {
                    return .refuse(.outOfResources)
                }
            }
        }
        guard let newTSIH = drawTSIH() else { return .refuse(.outOfResources) }
        let session = Session(
            identity: identity, tsih: newTSIH, target: target, connection: connection, connectionID: connectionID)
        if identity.isDiscovery {
            discoverySessions.append(session)
        } else {
            sessions[identity] = session
        }
        guard let old else { return .admit(session) }
        if identity.isDiscovery { discoverySessions.removeFirst() }
        usedTSIHs.remove(old.tsih)
        return .replace(old, by: session)
    }

    /// The one that makes room for another. Anybody may begin them, so they take no places of others.
    private var oldestDiscoverySession: Session? {
        discoverySessions.count >= limits.discoverySessions ? discoverySessions.first : nil
    }

    /// Harmless for a session that was replaced.
    func remove(_ session: Session) {
        if session.identity.isDiscovery {
            guard let position = discoverySessions.firstIndex(where: { $0 === session }) else { return }
            discoverySessions.remove(at: position)
        } else {
            guard sessions[session.identity] === session else { return }
            sessions[session.identity] = nil
        }
        usedTSIHs.remove(session.tsih)
    }

    /// Goes around all values, so that one is not used again soon.
    private func drawTSIH() -> UInt16? {
        for _ in 0..<Int(UInt16.max) {
            lastTSIH = lastTSIH == .max ? 1 : lastTSIH + 1
            if usedTSIHs.insert(lastTSIH).inserted { return lastTSIH }
        }
        return nil
    }
}
