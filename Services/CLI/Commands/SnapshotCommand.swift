// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Keep volumes as they are, and make new ones from what was kept.",
        subcommands: [SnapshotCreate.self, SnapshotList.self, SnapshotShow.self, SnapshotDelete.self])
}

struct SnapshotCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Keep a volume as it is now; returns when the snapshot is in the bucket.",
        discussion: """
            Examples:
              sluice snapshot create db --description "before the upgrade"
              sluice volume create db-copy --snapshot snap-0123456789abcdef0
            """)
    @Argument(help: "Name or id of the volume.") var volume: String
    @Option(name: .long, help: "A note for people.") var description = ""
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = SnapshotCreateRequest(volume: VolumeReference(volume), description: description)
        let snapshot: SnapshotDescription
        do {
            snapshot = try await client.ask(.snapshotter, request, timeout: patience.timeout.duration)
        } catch let failure as ServiceFailure where failure.exitCode == .temporaryFailure {
            throw ServiceFailure(
                .temporaryFailure,
                "\(failure.message)\(await reason(client)). The snapshot may still be made: "
                    + "`sluice snapshot list` shows it then")
        }
        try output.show(SnapshotOutput(snapshot), or: "\(snapshot.id) of \(snapshot.volumeName)\n")
    }

    /// What keeps the volume from being committed, as its cache manager sees it.
    private func reason(_ client: GatewayClient) async -> String {
        let reply = try? await client.ask(.cache, VolumeListRequest(), timeout: .seconds(2))
        let found = reply?.volumes.first { $0.id.description == volume || $0.name == volume }
        guard let found, !found.statusReason.isEmpty else { return "" }
        return ". Volume \(found.name) is \(found.status.word): \(found.statusReason)"
    }
}

struct SnapshotList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Show the snapshots in the bucket.")
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let snapshots = try await client.ask(.snapshotter, SnapshotListRequest()).snapshots
        try output.show(snapshots.map(SnapshotOutput.init), or: SnapshotOutput.table(snapshots))
    }
}

struct SnapshotShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one snapshot.")
    @Argument(help: "The snapshot's id, snap-…") var snapshot: SnapshotID
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let found = try await client.ask(.snapshotter, SnapshotListRequest(id: snapshot)).snapshots
        guard let shown = found.first(where: { $0.id == snapshot }) else {
            throw ServiceFailure(.badData, "no snapshot \(snapshot); `sluice snapshot list` shows those there are")
        }
        try output.show(SnapshotOutput(shown), or: SnapshotOutput.table([shown]))
    }
}

struct SnapshotDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a snapshot. Volumes made from it keep their data.",
        discussion: "Example: sluice snapshot delete snap-0123456789abcdef0")
    @Argument(help: "The snapshot's id, snap-…") var snapshot: SnapshotID
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = SnapshotDeleteRequest(id: snapshot)
        let deleted = try await client.ask(.snapshotter, request, timeout: patience.timeout.duration)
        try output.show(SnapshotOutput(deleted), or: "deleted \(deleted.id) of \(deleted.volumeName)\n")
    }
}
