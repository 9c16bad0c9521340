// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct InitiatorsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "initiators",
        abstract: "Show the iSCSI sessions: who is logged in where, since when, and what was negotiated.",
        discussion: """
            Reads, writes and latencies of each initiator are metrics: sluice_initiator_… in docs/METRICS.md.

            Examples:
              sluice initiators
              sluice initiators --volume db --json
            """)
    @Option(name: .long, help: "Only those of this volume (name or id).") var volume: String?
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let volume = try await client.volumeID(of: volume)
        var sessions: [InitiatorOutput] = []
        for entry in try await client.running(.iscsi) {
            let reply = try await client.ask(entry, SessionListRequest(), timeout: .seconds(10))
            sessions += reply.sessions.filter { volume == nil || $0.volume == volume }
                .map { InitiatorOutput($0, frontend: entry.name) }
        }
        try output.show(sessions, or: InitiatorOutput.table(sessions))
    }
}

struct DisconnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disconnect",
        abstract: "End iSCSI sessions.",
        discussion: """
            An initiator may log in again at once, and most do: to keep one out, take it out of the access file first.

            Examples:
              sluice disconnect --initiator iqn.1993-08.org.debian:01:3a5f
              sluice disconnect --volume db
            """)
    @Option(name: .long, help: "Sessions of this initiator.") var initiator: String?
    @Option(name: .long, help: "Sessions of this volume (name or id).") var volume: String?
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if initiator == nil && volume == nil { throw ValidationError("give --initiator or --volume, or both") }
    }

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = SessionEndRequest(initiatorName: initiator, volume: try await client.volumeID(of: volume))
        var count: UInt32 = 0
        for entry in try await client.running(.iscsi) {
            count += try await client.ask(entry, request, timeout: .seconds(10)).sessionCount
        }
        try output.show(["sessions": count], or: "\(Int(count).counted("session")) ended\n")
    }
}

extension GatewayClient {
    /// - Throws: if the gateway has no such volume.
    fileprivate func volumeID(of volume: String?) async throws -> VolumeID? {
        guard let volume else { return nil }
        let volumes = try await volumes()
        if let found = volumes.known.first(where: { $0.id.description == volume || $0.name == volume }) {
            return found.id
        }
        if let problem = volumes.problem { throw problem }
        throw ServiceFailure(
            .badData, "this gateway has no volume \"\(volume)\"; `sluice volume list` shows those it has")
    }
}
