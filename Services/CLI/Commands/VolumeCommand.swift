// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct VolumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Make, show, change, commit, warm, delete and take over volumes.",
        subcommands: [
            VolumeCreate.self, VolumeList.self, VolumeShow.self, VolumeSync.self, VolumeDelete.self,
            VolumeDiscover.self, VolumeAttach.self, VolumeWarm.self, VolumeResize.self, VolumeRename.self,
            VolumeSet.self, VolumeReservations.self,
        ])
}

/// `--timeout`, for commands that wait for the bucket.
struct PatienceOptions: ParsableArguments {
    @Option(name: .long, help: "How long to wait for the answer.")
    var timeout = DurationArgument(.seconds(120))
}

struct VolumeList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the volumes of this gateway and what of them is not in the bucket yet.")
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let volumes = try await client.volumes()
        try output.show(volumes.known.map(client.record), or: VolumeTable.list(volumes.known))
        if let problem = volumes.problem { throw problem }
    }
}

struct VolumeShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one volume in full.")
    @Argument(help: "Name or id.") var volume: String
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let volumes = try await client.volumes()
        guard let found = volumes.known.first(where: { $0.id.description == volume || $0.name == volume }) else {
            if let problem = volumes.problem { throw problem }
            throw ServiceFailure(
                .badData,
                "this gateway has no volume \"\(volume)\"; `sluice volume list` shows those it has, "
                    + "`sluice volume discover` those in the bucket")
        }
        try output.show(client.record(found), or: VolumeTable.details(client.record(found)))
    }
}

struct VolumeSync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Return when everything that was acknowledged before is in the bucket.",
        discussion: "Example: sluice volume sync db --timeout 10m")
    @Argument(help: "Name or id.") var volume: String
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = VolumeSyncRequest(volume: VolumeReference(volume))
        let synced = try await client.ask(about: volume, request, timeout: patience.timeout.duration)
        let moment = Timestamp(milliseconds: synced.recoveryPointMilliseconds).iso8601
        try output.show(
            client.record(synced), or: "\(synced.name): in the bucket as of \(moment), commit \(synced.commitNumber)\n")
    }
}

struct VolumeDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a volume: here, and in the bucket. Its snapshots stay.",
        discussion: """
            Snapshots that are pending need the volume: it is not deleted before they are in the bucket.

            Example: sluice volume delete db --yes
            """)
    @Argument(help: "Name or id.") var volume: String
    @Flag(name: .long, help: "Do not ask; the data is gone afterwards.") var yes = false
    @Flag(name: .long, help: "Delete it although snapshots of it are pending; these become errors.")
    var losePendingSnapshots = false
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        guard yes || Confirmation.ask("Delete volume \(volume) and all its data? Type its name to go on: ", volume)
        else {
            throw ServiceFailure(.usage, "not deleted; give --yes to delete without being asked")
        }
        let request = VolumeDeleteRequest(
            volume: VolumeReference(volume), losesSnapshots: losePendingSnapshots ? true : nil)
        let reply = try await client.ask(about: volume, request, timeout: patience.timeout.duration)
        try output.show(["id": reply.id.description], or: "deleted \(volume) (\(reply.id))\n")
    }
}
