// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct VolumeCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a volume and print the iSCSI address to connect to.",
        discussion: """
            Examples:
              sluice volume create db --size 10GiB
              sluice volume create db-copy --snapshot snap-0123456789abcdef0
              sluice volume create db-copy --clone-of db
              sluice volume create db-copy --clone-of db --from-recovery-point
              sluice volume create ledger --size 1TiB --durability always --compression 3
              sluice volume create shared --size 10GiB --ownership lease --lease 20s
              sluice volume create archive --size 10TiB --block-size 4096
            """)

    @Argument(help: "1 to 63 characters of a-z 0-9 . -, unique in this gateway.") var name: String
    @Option(name: .long, help: "A multiple of 1GiB, 1GiB to 64TiB. With --snapshot: at least the snapshot's size.")
    var size: ByteSize?
    @Option(name: .long, help: "Start with the contents of this snapshot.") var snapshot: SnapshotID?
    @Option(name: .long, help: "Start with the contents that this volume has now (name or id).") var cloneOf: String?
    @Flag(
        name: .long,
        help: "With --clone-of: as of its newest recovery point in the bucket; also for other gateways' volumes.")
    var fromRecoveryPoint = false
    @Option(
        name: .long,
        help: "When a write is acknowledged: on-flush (once the kernel has it; durable at a flush) or always (durable)."
    )
    var durability = DurabilityArgument(.onFlush)
    @Option(name: .long, help: "none, or zstd's level, 1 to 9.") var compression = CompressionLevel.standard
    @Option(name: .long, help: "How often dirty data is committed, 2s to 5m (default: commit.interval).")
    var commitInterval: DurationArgument?
    @Option(
        name: .long,
        help: """
            Logical blocks of the disk: 512 or 4096 bytes (default: 512; of a clone its source's). Never changes; what \
            was partitioned with one size does not read with another.
            """)
    var blockSize: BlockSizeArgument?
    @Flag(
        name: .long,
        help: "A disk whose medium initiators may eject and load again, for tests and special uses. Never changes.")
    var removable = false
    @Option(name: .long, help: "Journal space of this volume (default: journal.volume_buffer).")
    var uploadBuffer: ByteSize?
    @Option(
        name: .long,
        help: """
            exclusive: this gateway's until another takes it by force; serves without the bucket. lease: held by \
            renewing it in the bucket; another gateway takes over when it runs out.
            """)
    var ownership = OwnershipArgument.exclusive
    @Option(name: .long, help: "With --ownership lease: its length, 5s to 10m (default: 30s).")
    var lease: DurationArgument?
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func validate() throws {
        if size == nil && snapshot == nil && cloneOf == nil {
            throw ValidationError("give --size, such as --size 10GiB, or --snapshot, or --clone-of")
        }
        if snapshot != nil && cloneOf != nil { throw ValidationError("give either --snapshot or --clone-of") }
        if fromRecoveryPoint && cloneOf == nil { throw ValidationError("--from-recovery-point goes with --clone-of") }
        if let lease = lease?.duration {
            guard ownership == .lease else { throw ValidationError("--lease goes with --ownership lease") }
            guard lease >= .seconds(5), lease <= .seconds(600) else {
                throw ValidationError("--lease is between 5s and 10m")
            }
        }
        if let interval = commitInterval?.duration {
            guard interval >= .seconds(2), interval <= .seconds(300), interval.wholeMilliseconds % 1000 == 0 else {
                throw ValidationError("--commit-interval is a whole number of seconds between 2s and 5m")
            }
        }
    }

    func run() async throws {
        let client = try GatewayClient(gateway)
        let interval = commitInterval?.duration ?? client.configuration.commitInterval
        var request = VolumeCreateRequest(
            name: name, byteCount: size?.byteCount, snapshot: snapshot, durability: durability.durability,
            compression: compression, commitIntervalSeconds: UInt32(interval.components.seconds),
            uploadBufferByteCount: uploadBuffer?.byteCount, leaseMilliseconds: leaseMilliseconds,
            blockSize: blockSize?.size, isRemovable: removable ? true : nil)
        if let cloneOf { request.snapshot = try await source(client, VolumeReference(cloneOf), for: request) }
        let volume = try await client.askForPlace(request, timeout: patience.timeout.duration)
        let record = client.record(volume)
        try output.show(
            record,
            or: "\(volume.name) (\(volume.id)), \(ByteSize(byteCount: volume.byteCount)), "
                + "\(volume.status.word)\n" + record.urls.map { $0 + "\n" }.joined())
    }
}

extension VolumeCreate {
    private var leaseMilliseconds: UInt64? {
        guard ownership == .lease else { return nil }
        return UInt64((lease?.duration ?? .seconds(30)).wholeMilliseconds)
    }

    /// A snapshot of its own for a clone, which nobody sees and which goes when the clone does. None is taken for a
    /// clone that would be refused.
    private func source(
        _ client: GatewayClient, _ volume: VolumeReference, for clone: VolumeCreateRequest
    ) async throws -> SnapshotID {
        _ = try await client.askForPlace(VolumeCreateCheckRequest(clone, source: volume))
        let request = SnapshotCreateRequest(
            volume: volume, description: "for the clone \(name)",
            fromRecoveryPoint: fromRecoveryPoint ? true : nil, isInternal: true)
        let patience = SnapshotPatience(client, patience)
        return try await patience.wait(for: try await patience.create(request)).id
    }
}

extension SnapshotID: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

/// A type of its own: ArgumentParser describes an enum with raw values by these.
struct DurabilityArgument: ExpressibleByArgument {
    let durability: Durability
    init(_ durability: Durability) { self.durability = durability }
    init?(argument: String) {
        guard let durability = Durability(word: argument) else { return nil }
        self.durability = durability
    }
    var defaultValueDescription: String { durability.word }
    static var allValueStrings: [String] { Durability.allCases.map(\.word) }
}

/// A type of its own: ArgumentParser reads an enum with raw values by these alone.
struct BlockSizeArgument: ExpressibleByArgument {
    let size: LogicalBlockSize
    init?(argument: String) {
        guard let size = UInt32(argument).flatMap(LogicalBlockSize.init(rawValue:)) else { return nil }
        self.size = size
    }
    static var allValueStrings: [String] { LogicalBlockSize.allCases.map { String($0.byteCount) } }
}

enum OwnershipArgument: String, ExpressibleByArgument, CaseIterable { case exclusive, lease }

extension CompressionLevel: ExpressibleByArgument {
    package init?(argument: String) {
        if argument == "none" {
            self = .none
        } else if let level = UInt8(argument), (1...9).contains(level) {
            self.init(rawValue: level)
        } else {
            return nil
        }
    }
    package var defaultValueDescription: String { rawValue == 0 ? "none" : String(rawValue) }
}
