// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import ISCSI
import Logging
import Messages
import Platform
import ServiceKit
import Wire

/// Answers health, metrics and the list of sessions, on the loop's own thread: it reads state that only this thread
/// has.
final class ControlEndpoint {
    private unowned let owner: FrontendLoop
    private let socket: MessageSocket
    private let responder: HelloResponder
    private let message = IncomingMessage()
    private let counters = BusCounters()

    init(_ owner: FrontendLoop) throws {
        self.owner = owner
        let parts = owner.parts
        responder = HelloResponder(identity: parts.identity)
        socket = try MessageSocket(
            .server, context: parts.context, instance: parts.identity.instance, logger: parts.logger,
            counters: counters)
        for endpoint in parts.controlEndpoints {
            try socket.bind(endpoint)
            parts.logger.info("bus endpoint open", metadata: ["endpoint": "\(endpoint)"])
        }
        try socket.attach(to: owner.loop) { [unowned self] in
            socket.drain(into: message) { message in receive(message) }
        }
    }

    func close() { socket.close() }

    private func receive(_ message: IncomingMessage) {
        guard responder.admit(message, on: socket) != nil, !message.envelope.isReply else { return }
        switch message.envelope.kind {
        case .health: answer(HealthRequest.self, message) { _ in self.health() }
        case .metrics: answer(MetricsRequest.self, message) { _ in .init(families: self.metrics()) }
        case .sessionList: answer(SessionListRequest.self, message) { _ in .init(sessions: self.sessions()) }
        case .sessionEnd: answer(SessionEndRequest.self, message) { self.endSessions($0) }
        default:
            socket.refuse(
                message, .unexpected,
                BusFault(
                    .unsupportedKind, "an iSCSI frontend does not serve messages of kind \(message.envelope.kind)"))
        }
    }

    private func answer<Request: BusRequest>(
        _ type: Request.Type, _ message: IncomingMessage, _ reply: (Request) -> Request.Reply
    ) {
        guard let peer = message.peer else { return }
        let requestID = message.envelope.requestID
        do throws(MessageError) {
            let body = try MessageCoder.encode(reply(try message.decodeBody(type)))
            _ = socket.send(.init(Request.kind, requestID: requestID, isReply: true), body: body, to: peer)
        } catch {
            socket.refuse(message, .malformedBody, BusFault(refusing: error))
        }
    }

    private func health() -> HealthRequest.Reply {
        let (isReady, detail) = owner.readiness
        let uptime = Double(Timestamp.now().milliseconds - owner.startedAt.milliseconds) / 1000
        return HealthRequest.Reply(
            service: .iscsi, instance: owner.parts.identity.instance, softwareVersion: SoftwareVersion.current,
            uptimeSeconds: uptime, processID: getpid(), isReady: isReady, detail: detail)
    }

    private func sessions() -> [SessionListRequest.Session] {
        let sessions = owner.registry.normalSessions.compactMap { session -> SessionListRequest.Session? in
            guard let connection = owner.connections[session.connection] else { return nil }
            return SessionListRequest.Session(
                initiatorName: session.identity.initiatorName, targetName: session.identity.targetName ?? "",
                volume: session.target?.volume, peerAddress: connection.peer.description,
                commandsOpen: UInt32(clamping: connection.machine?.openTaskCount ?? 0),
                details: SessionDetails(session, connection))
        }
        return sessions.sorted {
            ($0.targetName, $0.initiatorName, $0.peerAddress) < ($1.targetName, $1.initiatorName, $1.peerAddress)
        }
    }

    private func endSessions(_ request: SessionEndRequest) -> SessionEndRequest.Reply {
        let initiator = request.initiatorName.map { $0.lowercased() }
        let ended = owner.registry.normalSessions.filter { session in
            (initiator == nil || session.identity.initiatorName == initiator)
                && (request.volume == nil || session.target?.volume == request.volume)
        }
        for session in ended { owner.connections[session.connection]?.end(.disconnected) }
        return SessionEndRequest.Reply(sessionCount: UInt32(clamping: ended.count))
    }

    private func metrics() -> [MetricFamily] {
        FrontendMetrics.families(of: owner) + owner.busCounters.metricFamilies() + owner.parts.process.families
    }
}

extension SessionDetails {
    fileprivate init(_ session: Session, _ connection: Connection) {
        let parameters = connection.login.parameters
        self.init(
            isid: "\(session.identity.isid)", tsih: session.tsih, portal: connection.local.description,
            beganMilliseconds: session.beganMilliseconds, userName: session.userName,
            isHeaderDigestOn: parameters.headerDigest, isDataDigestOn: parameters.dataDigest,
            initialR2T: parameters.initialR2T, immediateData: parameters.immediateData,
            maxBurstByteCount: UInt32(clamping: parameters.maxBurstByteCount),
            firstBurstByteCount: UInt32(clamping: parameters.firstBurstByteCount),
            initiatorDataSegmentByteCount: UInt32(clamping: parameters.initiatorDataSegmentLimit))
    }
}
