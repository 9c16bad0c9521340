// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct VolumeResize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize",
        abstract: "Make a volume larger while it is used.",
        discussion: """
            Initiators are told by a unit attention; on Linux `iscsiadm -m session --rescan` takes the new size over.

            Example: sluice volume resize db --size 20GiB
            """)
    @Argument(help: "Name or id.") var volume: String
    @Option(name: .long, help: "A multiple of 1GiB, not less than it has, at most 64TiB.") var size: ByteSize
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let request = VolumeChangeRequest(volume: VolumeReference(volume), byteCount: size.byteCount)
        try await GatewayClient(gateway).change(request, output, patience)
    }
}

struct VolumeRename: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Give a volume another name, which also names its target.",
        discussion: """
            The sessions of initiators end, and they have to log in to the new target; the device they find is the same.

            Example: sluice volume rename db ledger
            """)
    @Argument(help: "Name or id.") var volume: String
    @Argument(help: "1 to 63 characters of a-z 0-9 . -, unique in this gateway.") var name: String
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func run() async throws {
        let request = VolumeChangeRequest(volume: VolumeReference(volume), name: name)
        try await GatewayClient(gateway).change(request, output, patience)
    }
}

struct VolumeSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change how a volume behaves, while it is used.",
        discussion: """
            Examples:
              sluice volume set db --durability always    every acknowledged write is durable, as VMware ESXi needs it
              sluice volume set archive --read-only on
              sluice volume set scratch --sanitize on     initiators may erase it with SANITIZE
            """)
    @Argument(help: "Name or id.") var volume: String
    @Option(name: .long, help: "on-flush or always.") var durability: DurabilityArgument?
    @Option(name: .long, help: "on: initiators cannot write.") var readOnly: SwitchArgument?
    @Option(name: .long, help: "on: initiators may erase everything with SANITIZE. Snapshots and clones stay.")
    var sanitize: SwitchArgument?
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func validate() throws {
        if durability == nil && readOnly == nil && sanitize == nil {
            throw ValidationError("say what to change: --durability, --read-only or --sanitize")
        }
    }

    func run() async throws {
        let request = VolumeChangeRequest(
            volume: VolumeReference(volume), durability: durability?.durability, isReadOnly: readOnly?.isOn,
            allowsSanitize: sanitize?.isOn)
        try await GatewayClient(gateway).change(request, output, patience)
    }
}

extension GatewayClient {
    fileprivate func change(
        _ request: VolumeChangeRequest, _ output: OutputOptions, _ patience: PatienceOptions
    ) async throws {
        let volume = try await ask(about: request.volume.text, request, timeout: patience.timeout.duration)
        try output.show(record(volume), or: VolumeTable.details(record(volume)))
    }
}

enum SwitchArgument: String, ExpressibleByArgument, CaseIterable {
    case on, off
    var isOn: Bool { self == .on }
}

struct VolumeReservations: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reservations",
        abstract: "Show the SCSI reservations that initiators hold on a volume, or remove them.",
        discussion: """
            A node of a cluster that is gone for good may have left its registration behind. Its cluster removes it with
            PREEMPT; where there is no cluster any more, --clear does.

            Examples:
              sluice volume reservations shared
              sluice volume reservations shared --clear
            """)
    @Argument(help: "Name or id.") var volume: String
    @Flag(name: .long, help: "Remove all registrations and reservations.") var clear = false
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let request = VolumeReservationsRequest(volume: VolumeReference(volume), clears: clear)
        let reply = try await GatewayClient(gateway).ask(about: volume, request)
        try output.show(ReservationOutput(reply), or: ReservationOutput(reply).text)
    }
}
