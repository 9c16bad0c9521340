// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import Wire

struct SnapshotCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Keep a volume as it is now, or several as they are at one instant.",
        discussion: """
            The volume is frozen at once, for milliseconds; its data is uploaded behind that. The command returns when \
            the snapshot is in the bucket, or with --no-wait as soon as it is promised: from then on it survives the \
            death of any process, and `sluice snapshot show` tells how far it is.

            Several volumes make a group: all of them at one instant, one snapshot each.

            Examples:
              sluice snapshot create db --description "before the upgrade"
              sluice snapshot create db log wal
              sluice snapshot create db --no-wait
              sluice snapshot create db --from-recovery-point
              sluice volume create db-copy --snapshot snap-0123456789abcdef0
            """)
    @Argument(help: "Name or id of the volume; several are one group.") var volumes: [String]
    @Option(name: .long, help: "A note for people.") var description = ""
    @Flag(
        name: .long,
        help: "Keep the newest recovery point in the bucket instead of cutting; also of other gateways' volumes.")
    var fromRecoveryPoint = false
    @Flag(inversion: .prefixedNo, help: "Return when the snapshot is in the bucket.") var wait = true
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var patience: PatienceOptions

    func validate() throws {
        guard !volumes.isEmpty else { throw ValidationError("name the volume") }
        guard volumes.count == 1 || !fromRecoveryPoint else {
            throw ValidationError(
                "recovery points of several volumes are not of one instant; make a snapshot of each by itself")
        }
        guard Set(volumes).count == volumes.count else { throw ValidationError("a volume is named twice") }
    }

    func run() async throws {
        let client = try GatewayClient(gateway)
        if volumes.count > 1 { return try await makeGroup(client) }
        let request = SnapshotCreateRequest(
            volume: VolumeReference(volumes[0]), description: description,
            fromRecoveryPoint: fromRecoveryPoint ? true : nil)
        let patience = SnapshotPatience(client, patience)
        var snapshot = try await patience.create(request)
        if wait { snapshot = try await patience.wait(for: snapshot) }
        try SnapshotPatience.check(snapshot)
        try output.show(SnapshotOutput(snapshot), or: Self.line(snapshot))
    }

    static func line(_ snapshot: SnapshotDescription) -> String {
        let point = snapshot.isFromRecoveryPoint ?? false ? ", the recovery point of" : " as of"
        let moment = snapshot.cutMilliseconds.map { "\(point) \(Timestamp(milliseconds: $0).iso8601)" } ?? ""
        let state = snapshot.state == .completed ? "" : ", \(snapshot.state.word)"
        return "\(snapshot.id) of \(snapshot.volumeName)\(moment)\(state)\n"
    }

    private func makeGroup(_ client: GatewayClient) async throws {
        let request = SnapshotGroupCreateRequest(
            volumes: volumes.map { VolumeReference($0) }, description: description)
        let patience = SnapshotPatience(client, patience)
        var group = try await patience.create(request)
        if wait { group = try await patience.wait(for: group) }
        try SnapshotPatience.check(group)
        let pause = "the volumes stood still for \(HumanText.milliseconds(microseconds: group.pauseMicroseconds))"
        try output.show(
            SnapshotGroupOutput(group),
            or: "\(group.id), \(group.state.word); \(pause)\n" + group.members.map(Self.line).joined())
    }
}

/// Waits for snapshots by asking again, so that a service that is started anew meanwhile is no matter.
struct SnapshotPatience {
    private static let firstPause = Duration.milliseconds(30)
    private static let longestPause = Duration.milliseconds(500)
    /// One question; the time for all of them is the person's.
    private static let askTimeout = Duration.seconds(10)
    private let client: GatewayClient
    private let timeout: Duration
    private let deadline: ContinuousClock.Instant

    init(_ client: GatewayClient, _ patience: PatienceOptions) {
        self.client = client
        timeout = patience.timeout.duration
        deadline = ContinuousClock.now + timeout
    }

    func create(_ request: SnapshotCreateRequest) async throws -> SnapshotDescription {
        try await ask(request, ifLate: "The snapshot may still be made: `sluice snapshot list` shows it then")
    }

    func create(_ request: SnapshotGroupCreateRequest) async throws -> SnapshotGroupDescription {
        try await ask(request, ifLate: "The group may still be made: `sluice snapshot groups` shows it then")
    }

    /// A refusal is final; where time ran out nobody knows.
    private func ask<Request: BusRequest>(_ request: Request, ifLate news: String) async throws -> Request.Reply {
        do {
            return try await client.ask(.snapshotter, request, timeout: timeout)
        } catch let failure as ServiceFailure where failure.exitCode == .temporaryFailure {
            throw ServiceFailure(.temporaryFailure, "\(failure.message). \(news)")
        }
    }

    /// Throws if it never will be in the bucket.
    static func check(_ snapshot: SnapshotDescription) throws {
        guard snapshot.state == .completed || snapshot.state == .pending else {
            throw ServiceFailure(
                .unavailable,
                "snapshot \(snapshot.id) could not be made: \(snapshot.reason ?? snapshot.state.word)")
        }
    }

    static func check(_ group: SnapshotGroupDescription) throws {
        guard group.state == .completed || group.state == .pending else {
            throw ServiceFailure(
                .unavailable,
                "group \(group.id) is not whole: \(group.reason ?? group.state.word); its other snapshots can be used "
                    + "one by one")
        }
    }

    /// - Returns: the completed snapshot.
    func wait(for snapshot: SnapshotDescription) async throws -> SnapshotDescription {
        var last = snapshot
        try await poll {
            if let found = try await client.ask(
                .snapshotter, SnapshotListRequest(id: snapshot.id), timeout: Self.askTimeout
            ).snapshots.first {
                last = found
            }
            return last.state != .pending
        } isDone: {
            last.state != .pending
        } late: {
            "snapshot \(last.id) of \(last.volumeName) is pending still, not in the bucket within "
                + "\(timeout.configurationText)" + (last.reason.map { ": \($0)" } ?? "")
                + ". It is completed as soon as the bucket takes it: `sluice snapshot show \(last.id)`"
        }
        try Self.check(last)
        return last
    }

    func wait(for group: SnapshotGroupDescription) async throws -> SnapshotGroupDescription {
        var last = group
        try await poll {
            if let found = try await client.ask(
                .snapshotter, SnapshotGroupListRequest(id: group.id), timeout: Self.askTimeout
            ).groups.first {
                last = found
            }
            return last.state != .pending
        } isDone: {
            last.state != .pending
        } late: {
            "group \(last.id) is pending still, not in the bucket within \(timeout.configurationText)"
                + (last.reason.map { ": \($0)" } ?? "")
                + ". It is completed as soon as the bucket takes it: `sluice snapshot groups \(last.id)`"
        }
        try Self.check(last)
        return last
    }

    private func poll(_ ask: () async throws -> Bool, isDone: () -> Bool, late: () -> String) async throws {
        var pause = Self.firstPause
        while !isDone() {
            guard ContinuousClock.now < deadline else { throw ServiceFailure(.temporaryFailure, late()) }
            try await Task.sleep(for: min(pause, ContinuousClock.now.duration(to: deadline)))
            pause = min(pause * 2, Self.longestPause)
            // A service that is away may come back while there is time.
            do {
                if try await ask() { return }
            } catch let failure as ServiceFailure where failure.exitCode == .temporaryFailure {
            } catch let fault as BusFault where fault.code == .bucketUnavailable || fault.code == .notReady {
            } catch let failure as ServiceFailure where failure.exitCode == .unavailable {}
        }
    }
}
