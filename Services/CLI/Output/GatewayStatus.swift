// SPDX-License-Identifier: Apache-2.0
import Messages
import ServiceKit
import Wire

/// The whole gateway at one moment. What does not answer is part of the picture, not an error.
struct GatewayStatus: Sendable {
    struct ServiceLine: Sendable {
        var name: String
        var kind: ServiceKind
        var processID: Int32?
        var isReady: Bool
        var detail: String
        /// nil: the service did not answer.
        var uptimeSeconds: Double?
        var softwareVersion: String?
    }

    var services: [ServiceLine] = []
    /// nil: no cache manager answers, so nobody knows.
    var volumes: [VolumeDescription]?
    /// nil: no frontend answers.
    var sessions: [SessionListRequest.Session]?

    /// The kind that was asked for; nil: all.
    var only: ServiceKind?

    /// Every service can do its work and no volume is still being opened.
    var isReady: Bool {
        if only != nil { return services.allSatisfy(\.isReady) }
        guard let volumes, services.allSatisfy(\.isReady) else { return false }
        return volumes.allSatisfy { $0.status != .creating && $0.status != .opening }
    }

    private static let timeout = Duration.seconds(2)

    /// - Parameter only: services of one kind, without what they serve.
    static func collect(from client: GatewayClient, only: ServiceKind? = nil) async -> GatewayStatus {
        let entries = ((try? await client.entries()) ?? []).filter { only == nil || $0.kind == only }
        var status = GatewayStatus(only: only)
        status.services = await withTaskGroup(of: ServiceLine.self) { group in
            for entry in entries where entry.kind != .cli { group.addTask { await line(for: entry, client) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        // A kind without any process is as bad as a dead one, and worth a line.
        for kind in only.map({ [$0] }) ?? ServiceKind.supervised
        where !status.services.contains(where: { $0.kind == kind }) {
            status.services.append(
                ServiceLine(
                    name: kind.shortName, kind: kind, processID: nil, isReady: false,
                    detail: client.directory.absence(of: kind)))
        }
        status.services.sort { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
        guard only == nil else { return status }
        for entry in entries where entry.isRunning {
            if entry.kind == .cache, let reply = try? await client.ask(entry, VolumeListRequest(), timeout: timeout) {
                status.volumes = (status.volumes ?? []) + reply.volumes
            }
            if entry.kind == .iscsi, let reply = try? await client.ask(entry, SessionListRequest(), timeout: timeout) {
                status.sessions = (status.sessions ?? []) + reply.sessions
            }
        }
        return status
    }

    private static func line(for entry: ServiceEntry, _ client: GatewayClient) async -> ServiceLine {
        var line = ServiceLine(
            name: entry.name, kind: entry.kind, processID: entry.processID, isReady: false, detail: entry.absence)
        guard entry.isRunning else { return line }
        do {
            let health = try await client.ask(entry, HealthRequest(), timeout: timeout)
            line.isReady = health.isReady
            line.detail = health.detail
            line.uptimeSeconds = health.uptimeSeconds
            line.softwareVersion = health.softwareVersion
        } catch {
            // On a network nobody knows whether it runs.
            let state = client.directory.isNetwork ? "does not answer" : "runs, but does not answer"
            line.detail = "\(state): \(ServiceFailure(describing: error).message)"
        }
        return line
    }
}

// What people and programs see.
extension GatewayStatus {
    func text() -> String {
        var table = Table(["SERVICE", "PROCESS", "STATE", "UP", "VERSION", "DETAIL"])
        for service in services {
            table.add([
                service.name, service.processID.map(String.init) ?? "", service.isReady ? "ready" : "NOT READY",
                service.uptimeSeconds.map(HumanText.age) ?? "", service.softwareVersion ?? "", service.detail,
            ])
        }
        return table.render() + (only == nil ? "\n" + dirtyText() + sessionText() : "")
    }

    private func dirtyText() -> String {
        guard let volumes else { return "Volumes: unknown, because no cache manager answers.\n" }
        guard !volumes.isEmpty else { return "No volumes. Make one with `sluice volume create NAME --size 10GiB`.\n" }
        let dirty = volumes.reduce(0) { $0 + $1.dirtyByteCount }
        let oldest = volumes.map(\.oldestDirtySeconds).max() ?? 0
        let summary =
            dirty == 0
            ? "Everything that was acknowledged is in the bucket.\n"
            : "\(ByteSize(byteCount: dirty)) are not in the bucket yet; the oldest byte waits for "
                + "\(HumanText.age(seconds: oldest)).\n"
        return VolumeTable.list(volumes) + summary
    }

    private func sessionText() -> String {
        guard let sessions, !sessions.isEmpty else { return "" }
        var table = Table(["INITIATOR", "ADDRESS", "TARGET", "COMMANDS"])
        for session in sessions {
            table.add([
                session.initiatorName, session.peerAddress, session.targetName, String(session.commandsOpen),
            ])
        }
        return "\n" + table.render()
    }

    /// `--json`. Names are a promise to scripts: add, never rename.
    struct Record: Encodable {
        struct Service: Encodable {
            var name: String
            var kind: String
            var processID: Int32?
            var ready: Bool
            var detail: String
            var uptimeSeconds: Double?
            var version: String?
        }
        struct Session: Encodable {
            var initiator: String
            var target: String
            var volume: String?
            var address: String
            var commandsOpen: UInt32
        }
        var ready: Bool
        var services: [Service]
        /// null: unknown.
        var volumes: [VolumeOutput]?
        var sessions: [Session]?
        var dirtyBytes: UInt64?
        var oldestDirtySeconds: Double?
    }

    func record(_ client: GatewayClient) -> Record {
        Record(
            ready: isReady,
            services: services.map {
                Record.Service(
                    name: $0.name, kind: $0.kind.shortName, processID: $0.processID, ready: $0.isReady,
                    detail: $0.detail, uptimeSeconds: $0.uptimeSeconds, version: $0.softwareVersion)
            },
            volumes: volumes?.map(client.record),
            sessions: sessions?.map {
                Record.Session(
                    initiator: $0.initiatorName, target: $0.targetName, volume: $0.volume?.description,
                    address: $0.peerAddress, commandsOpen: $0.commandsOpen)
            },
            dirtyBytes: volumes.map { $0.reduce(0) { $0 + $1.dirtyByteCount } },
            oldestDirtySeconds: volumes.map { $0.map(\.oldestDirtySeconds).max() ?? 0 })
    }
}
