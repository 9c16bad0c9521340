// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Keep volumes as they are, and make new ones from what was kept.",
        subcommands: [
            SnapshotCreate.self, SnapshotList.self, SnapshotShow.self, SnapshotGroups.self, SnapshotDelete.self,
        ])
}

struct SnapshotList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the snapshots in the bucket, and those on their way there.")
    @Flag(name: .long, help: "Also those that were made for clones.") var all = false
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = SnapshotListRequest(includesInternal: all ? true : nil)
        let snapshots = try await client.ask(.snapshotter, request).snapshots
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

struct SnapshotGroups: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups",
        abstract: "Show snapshots that several volumes have of one instant.",
        discussion: "Example: sluice snapshot groups grp-0123456789abcdef0")
    @Argument(help: "The id of one group, grp-…; without it all.") var group: SnapshotGroupID?
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let groups = try await client.ask(.snapshotter, SnapshotGroupListRequest(id: group)).groups
        try output.show(groups.map(SnapshotGroupOutput.init), or: SnapshotGroupOutput.table(groups))
    }
}

struct SnapshotDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a snapshot. Volumes made from it keep their data.",
        discussion: """
            One whose record is damaged can be deleted once nothing is left that was made from it.

            Example: sluice snapshot delete snap-0123456789abcdef0
            """)
    @Argument(help: "The snapshot's id, snap-…") var snapshot: SnapshotID
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = SnapshotDeleteRequest(id: snapshot)
        let deleted = try await client.ask(.snapshotter, request, timeout: patience.timeout.duration)
        try output.show(SnapshotOutput(deleted), or: SnapshotOutput.deletion(of: deleted))
    }
}

extension SnapshotGroupID: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
