// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct VolumeDiscover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover",
        abstract: "Show the volumes that the bucket holds, of this gateway or any other.",
        discussion: "What is found can be opened here with `sluice volume attach`.")
    @Flag(name: .long, help: "Also show volumes that were deleted.") var deleted = false
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    /// A found volume as `--json` shows it. Names are a promise to scripts.
    private struct Record: Encodable {
        var id: String
        var name: String
        var sizeBytes: UInt64
        var generation: UInt32
        var commitNumber: UInt64
        var recoveryPoint: String?
        var owner: String
        var attachedHere: Bool
        /// Of the volume in this gateway; nil when it is not here.
        var statusHere: String?
        var deleted: Bool

        init(_ found: VolumeDiscoverRequest.Found, statusHere: VolumeStatus?) {
            id = found.id.description
            name = found.name
            sizeBytes = found.byteCount
            generation = found.generation
            commitNumber = found.commitNumber
            recoveryPoint =
                found.recoveryPointMilliseconds == 0
                ? nil : Timestamp(milliseconds: found.recoveryPointMilliseconds).iso8601
            owner = found.owner.description
            attachedHere = statusHere.map { $0 != .standby } ?? false
            self.statusHere = statusHere?.word
            deleted = found.isDeleted
        }
    }

    func run() async throws {
        let client = try GatewayClient(gateway)
        let reply = try await client.askForPlace(VolumeDiscoverRequest(), timeout: patience.timeout.duration)
        let volumes = reply.volumes.filter { deleted || !$0.isDeleted }
        let here = try await client.volumes().known
        let statuses = Dictionary(here.map { ($0.id, $0.status) }) { first, _ in first }
        try output.show(
            volumes.map { Record($0, statusHere: statuses[$0.id]) }, or: Self.table(volumes, statusesHere: statuses))
    }

    private static func table(
        _ volumes: [VolumeDiscoverRequest.Found], statusesHere: [VolumeID: VolumeStatus]
    ) -> String {
        var table = Table(["NAME", "ID", "SIZE", "RECOVERY POINT", "COMMITS", "GENERATION", "OWNER", "HERE"])
        for volume in volumes {
            table.add([
                volume.name, volume.id.description, ByteSize(byteCount: volume.byteCount).description,
                HumanText.ago(milliseconds: volume.recoveryPointMilliseconds), String(volume.commitNumber),
                String(volume.generation), volume.owner.description,
                volume.isDeleted ? "deleted" : here(statusesHere[volume.id]),
            ])
        }
        return table.render()
    }

    private static func here(_ status: VolumeStatus?) -> String {
        switch status {
        case nil: "no"
        case .fenced, .failed: status?.word ?? ""
        case .creating, .opening, .available, .uploadStalled, .deleting: "attached"
        case .standby: "standby"
        }
    }
}

struct VolumeAttach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Open a volume of the bucket on this gateway.",
        discussion: """
            A volume that another gateway owns needs --force, after that gateway was cut off: it is fenced then, and \
            what it had acknowledged but not committed stays in its journal. So does a volume that is fenced or failed \
            here: it is opened anew as of its recovery point in the bucket, and its old journal is set aside.

            A volume that is owned by lease is taken when its owner has shut it down, or has not renewed the lease for \
            as long as it lasts; an owner that renews keeps it. With --standby this gateway goes on watching, across \
            restarts, and takes over whenever that happens.

            Examples:
              sluice volume attach db --force
              sluice volume attach shared --standby
              sluice volume attach shared --standby --cancel
            """)
    @Argument(help: "Name or id, as `sluice volume discover` shows them.") var volume: String
    @Flag(name: .long, help: "Take the volume from the gateway that owns it.") var force = false
    @Flag(name: .long, help: "Take the volume over when the lease of its owner runs out.") var standby = false
    @Flag(name: .long, help: "With --standby: do not take it over any more.") var cancel = false
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func validate() throws {
        if cancel && !standby { throw ValidationError("--cancel goes with --standby") }
        if force && standby { throw ValidationError("give either --force or --standby") }
    }

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = VolumeAttachRequest(
            volume: VolumeReference(volume), force: force, standby: standby ? (cancel ? .cancel : .begin) : nil)
        let attached = try await client.ask(about: volume, request, timeout: patience.timeout.duration)
        guard !cancel else {
            return try output.show(
                client.record(attached), or: "\(attached.name) (\(attached.id)) is no standby any more\n")
        }
        let record = client.record(attached)
        try output.show(
            record,
            or: "\(attached.name) (\(attached.id)), \(attached.status.word), recovery point "
                + "\(record.recoveryPoint ?? "none")\n"
                + (attached.statusReason.isEmpty ? "" : attached.statusReason + "\n")
                + record.urls.map { $0 + "\n" }.joined())
    }
}
