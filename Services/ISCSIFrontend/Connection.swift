// SPDX-License-Identifier: Apache-2.0
import Bus
import ISCSI
import Platform
import SCSI
import ServiceKit
import Wire

/// What a connection needs of the loop that owns it.
protocol ConnectionOwner: AnyObject {
    var links: CacheLinks { get }
    var targets: TargetTable { get }
    var accessRules: AccessRules { get }
    /// Of all connections.
    var challenges: OutstandingChallenges { get set }
    /// Whether a target that is not known does not exist; else one that is away may have it.
    var areTargetsKnown: Bool { get }
    var configuration: FrontendConfiguration { get }
    var counters: FrontendCounters { get }
    var acceptsLogins: Bool { get }
    /// Monotonic nanoseconds.
    var now: UInt64 { get }
    var writeBudget: MemoryBudget { get set }
    var readBudget: MemoryBudget { get set }
    /// True when the list of targets may be older than this login; `continueLogin` follows once it is not.
    func needsFreshTargets(_ connection: Connection) -> Bool
    /// - Parameter status: nil: there is no answer.
    func loginFailed(_ status: UInt16?, _ connection: Connection)
    /// Answered by `admit` or `refuse`, at once or later.
    func establish(_ identity: SessionIdentity, tsih: UInt16, connectionID: UInt16, for connection: Connection)
    func carryOut(_ management: TaskManagement, for connection: Connection)
    func logOut(_ request: LogoutRequest, for connection: Connection)
    /// It has something to send.
    func hasOutput(_ connection: Connection)
    /// Nothing more may be read from it now, or it may again.
    func interestChanged(_ connection: Connection)
    func closed(_ connection: Connection, _ reason: CloseReason)
}

/// Why a connection ended; the label of a metric and of the log.
enum CloseReason: String, CaseIterable, Sendable {
    case peerClosed = "peer_closed"
    case protocolError = "protocol_error"
    case loginFailed = "login_failed"
    case loginTimeout = "login_timeout"
    case loggedOut = "logged_out"
    case reinstated
    case silent
    case stalled
    case targetRemoved = "target_removed"
    case targetReset = "target_reset"
    /// Somebody wanted it so.
    case disconnected
    case stopping
    case revoked
}

/// One TCP connection with its login and its session. It moves bytes between the socket and the state machines of
/// `ISCSI`, and commands between these and the device server. Confined to the loop's thread.
final class Connection {
    enum Phase: Equatable {
        case login
        /// The leading request waits for a fresh list of targets.
        case holdingLogin
        /// Agreed, and waiting for the session that it replaces to end.
        case establishing
        case fullFeature
        /// What waits is sent, then the connection is closed.
        case closing(CloseReason)
        case closed
    }

    private static let readsPerTurn = 4

    let id: ConnectionID
    let descriptor: Int32
    let peer: SocketAddress
    let local: SocketAddress
    let localAddress: String
    let openedAt: UInt64
    unowned let owner: any ConnectionOwner
    var registration: EventLoop.Registration?
    var interest: EventLoop.Interest = []
    /// It is in the loop's list of connections with output.
    var isDirty = false
    var phase = Phase.login
    /// When the present phase began, or output last moved.
    var phaseStartedAt: UInt64
    var outputMovedAt: UInt64

    var framer = PDUFramer()
    var output = OutputQueue()
    var login: LoginStateMachine
    var heldLogin: (header: HeaderBytes, data: [UInt8])?
    var machine: FullFeatureStateMachine?
    var session: Session?
    /// Agreed on, and not begun yet.
    var establishing: Session?
    var keepAlive: KeepAlive
    var actions: [FullFeatureStateMachine.Action] = []
    var nextAction = 0
    var slots: [TaskSlot] = []
    /// Answers with data, in the order in which they became ready.
    var sending: [DataInAnswer] = []
    var sendingHead = 0
    var reads = ConnectionReads()
    /// What its writes have of the write budget.
    var writeByteCount = 0
    private var isHandling = false

    init(
        id: ConnectionID, descriptor: Int32, peer: SocketAddress, local: SocketAddress, owner: any ConnectionOwner
    ) {
        self.id = id
        self.descriptor = descriptor
        self.peer = peer
        self.local = local
        localAddress = local.description
        self.owner = owner
        let configuration = owner.configuration
        openedAt = owner.now
        phaseStartedAt = owner.now
        outputMovedAt = owner.now
        login = LoginStateMachine(
            limits: configuration.negotiation, windowDepth: configuration.limits.windowDepth)
        keepAlive = KeepAlive(
            idleSeconds: configuration.limits.idleSeconds, answerSeconds: configuration.limits.answerSeconds,
            now: owner.now)
    }

    var isClosed: Bool { phase == .closed }

    func enter(_ phase: Phase) {
        self.phase = phase
        phaseStartedAt = owner.now
    }

    // MARK: Reading

    /// PDUs are taken only in these phases, and only while the peer takes our answers.
    var takesPDUs: Bool {
        switch phase {
        case .login, .fullFeature: output.pendingByteCount < owner.configuration.limits.outputByteCount
        case .holdingLogin, .establishing, .closing, .closed: false
        }
    }

    /// A connection that is being closed reads on, to notice the peer's end.
    var wantsToRead: Bool {
        if case .closing = phase { true } else { takesPDUs }
    }

    /// What waits for somebody else is not read, but for a peer that has gone there is nothing to wait for.
    var awaitsOthers: Bool { phase == .holdingLogin || phase == .establishing }

    func readable() {
        for _ in 0..<Self.readsPerTurn {
            guard !isClosed else { return }
            guard takesPDUs else { return discardInput() }
            let (transfer, isFilled) = readOnce()
            switch transfer {
            case .wouldBlock: return
            case .ended: return close(.peerClosed)
            case .bytes: process()
            }
            // A short read has emptied the socket: asking again would cost a call for nothing.
            if !isFilled { return }
        }
    }

    private func readOnce() -> (TCPSocket.Transfer, isFilled: Bool) {
        var result = TCPSocket.Transfer.wouldBlock
        var isFilled = false
        let descriptor = descriptor
        _ = unsafe framer.fill { buffer in
            guard buffer.count > 0 else { return 0 }
            unsafe result = TCPSocket.read(descriptor, into: buffer)
            guard case .bytes(let count) = result else { return 0 }
            isFilled = count == buffer.count
            return count
        }
        return (result, isFilled)
    }

    /// Nothing that comes behind the end is looked at.
    private func discardInput() {
        guard case .closing = phase else { return }
        let end = unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            unsafe TCPSocket.read(descriptor, into: buffer) == .ended
        }
        if end { close(.peerClosed) }
    }

    /// Takes the PDUs that are here.
    func process() {
        // Answers that the handling of a PDU sets free come back here only through the loop.
        guard !isHandling else { return }
        isHandling = true
        defer { isHandling = false }
        while takesPDUs {
            do throws(ISCSIError) {
                guard let pdu = try framer.next() else { break }
                handle(pdu)
            } catch {
                refuseFraming(error)
            }
        }
        owner.interestChanged(self)
    }

    private func handle(_ pdu: FramedPDU) {
        guard phase == .fullFeature else {
            return receiveLogin(pdu.header, data: Array(framer.storage[pdu.data]))
        }
        keepAlive.heard(at: owner.now)
        // A discovery session is measured from its last request.
        if session?.identity.isDiscovery == true { phaseStartedAt = owner.now }
        let before = machine?.rejectedCount ?? 0
        unsafe machine?.receive(
            pdu, storage: framer.storage.span.bytes, directory: ConnectionDirectory(connection: self),
            output: &output.writer, actions: &actions)
        owner.counters.rejectedPDUs += (machine?.rejectedCount ?? 0) - before
        carryOutActions()
    }

    private func refuseFraming(_ error: ISCSIError) {
        owner.counters.rejectedPDUs += 1
        guard phase == .fullFeature, case .rejectAndClose(let reason) = error.disposition else {
            return close(phase == .fullFeature ? .protocolError : .loginFailed)
        }
        let header = framer.refusedHeader
        machine?.reject(header, reason, &output.writer)
        closeAfterOutput(.protocolError)
    }

    // MARK: Ending

    /// Sends what waits, then closes.
    func closeAfterOutput(_ reason: CloseReason) {
        guard !isClosed else { return }
        enter(.closing(reason))
        owner.hasOutput(self)
        owner.interestChanged(self)
    }

    func close(_ reason: CloseReason) {
        guard !isClosed else { return }
        let reason = if case .closing(let earlier) = phase { earlier } else { reason }
        phase = .closed
        login.abandon(environment: self)
        for index in slots.indices { releaseSlot(index) }
        sending.removeAll()
        owner.writeBudget.forget { $0.connection == id }
        owner.readBudget.release(reads.takeAll())
        owner.closed(self, reason)
    }

    /// Whoever has a session is asked to log out; nobody else has anything to lose.
    func beginStop(seconds: UInt16) {
        guard phase == .fullFeature, session?.identity.isDiscovery == false else { return close(.stopping) }
        machine?.requestLogout(seconds: seconds, &output.writer)
        owner.hasOutput(self)
    }

    /// Tells the initiator that the session ends now.
    func end(_ reason: CloseReason) {
        if phase == .fullFeature { machine?.announceClose(&output.writer) }
        _ = output.flush(to: descriptor)
        close(reason)
    }

    // MARK: Once a second

    func check() {
        let limits = owner.configuration.limits
        let second: UInt64 = 1_000_000_000
        let now = owner.now
        if !output.isEmpty, now &- outputMovedAt >= limits.stallSeconds * second { return close(.stalled) }
        switch phase {
        case .login, .holdingLogin, .establishing:
            if now &- openedAt >= limits.loginSeconds * second { close(.loginTimeout) }
        case .closing(let reason):
            if now &- phaseStartedAt >= limits.lingerSeconds * second { close(reason) }
        case .fullFeature:
            if session?.identity.isDiscovery == true,
                now &- phaseStartedAt >= limits.discoveryIdleSeconds * second
            {
                return close(.silent)
            }
            giveUpMissingData(since: now &- limits.dataSeconds * second)
            switch keepAlive.check(at: now) {
            case .none: break
            case .ping:
                machine?.ping(&output.writer)
                owner.hasOutput(self)
            case .giveUp: close(.silent)
            }
        case .closed: break
        }
    }
}
