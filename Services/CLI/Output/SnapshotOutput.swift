// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit
import Wire

/// A snapshot as `--json` shows it. Names are a promise to scripts: add, never rename.
package struct SnapshotOutput: Encodable, Equatable, Sendable {
    package var id: String
    package var volume: String
    package var volumeName: String
    package var sizeBytes: UInt64
    package var description: String
    package var state: String
    /// Why it is pending still, or an error.
    package var reason: String?
    package var created: String
    /// The instant of which it is.
    package var asOf: String?
    package var commitNumber: UInt64
    /// While it is pending: what the bucket lacked at the cut, what is stored of it, and the percentage.
    package var uploadBytes: UInt64?
    package var uploadedBytes: UInt64?
    package var progressPercent: Int
    package var fromRecoveryPoint: Bool
    package var `internal`: Bool
    package var group: String?
    /// Volumes made from it, by id, and their names in the same order.
    package var pinnedBy: [String]
    package var pinnedByNames: [String]

    package init(_ snapshot: SnapshotDescription) {
        id = snapshot.id.description
        volume = snapshot.volume.description
        volumeName = snapshot.volumeName
        sizeBytes = snapshot.volumeByteCount
        description = snapshot.description
        state = snapshot.state.word
        reason = snapshot.reason
        created = Timestamp(milliseconds: snapshot.createdMilliseconds).iso8601
        asOf = snapshot.cutMilliseconds.map { Timestamp(milliseconds: $0).iso8601 }
        commitNumber = snapshot.commitNumber
        uploadBytes = snapshot.uploadByteCount
        uploadedBytes = snapshot.uploadedByteCount
        progressPercent = Self.percent(snapshot)
        fromRecoveryPoint = snapshot.isFromRecoveryPoint ?? false
        `internal` = snapshot.isInternal ?? false
        group = snapshot.group?.description
        pinnedBy = (snapshot.pinnedBy ?? []).map(\.description)
        pinnedByNames = snapshot.pinnedByNames ?? []
    }

    package static func table(_ snapshots: [SnapshotDescription]) -> String {
        var table = Table(["ID", "VOLUME", "SIZE", "STATE", "AS OF", "GROUP", "PINNED BY", "DESCRIPTION"])
        for snapshot in snapshots {
            let moment = snapshot.cutMilliseconds ?? snapshot.createdMilliseconds
            table.add([
                snapshot.id.description, snapshot.volumeName,
                ByteSize(byteCount: snapshot.volumeByteCount).description, progress(snapshot),
                Timestamp(milliseconds: moment).iso8601, snapshot.group?.description ?? "",
                (snapshot.pinnedByNames ?? []).joined(separator: " "), snapshot.description,
            ])
        }
        let troubled = snapshots.filter { $0.reason != nil }.map { "\($0.id): \($0.reason ?? "")\n" }
        return table.render() + troubled.joined()
    }

    package static func deletion(of snapshot: SnapshotDescription) -> String {
        // Nobody can read what it was of.
        if snapshot.volumeName.isEmpty { return "deleted \(snapshot.id): \(snapshot.reason ?? "")\n" }
        let heirs = snapshot.pinnedByNames ?? []
        let rest = heirs.isEmpty ? "" : "; volumes made from it keep its data: \(heirs.joined(separator: ", "))"
        return "deleted \(snapshot.id) of \(snapshot.volumeName)\(rest)\n"
    }

    private static func progress(_ snapshot: SnapshotDescription) -> String {
        snapshot.state == .pending ? "pending \(percent(snapshot))%" : snapshot.state.word
    }

    /// 100 only when it is complete, as AWS counts.
    private static func percent(_ snapshot: SnapshotDescription) -> Int {
        switch snapshot.state {
        case .completed: return 100
        case .error, .deleting: return 0
        case .pending:
            guard let whole = snapshot.uploadByteCount, whole > 0 else { return 0 }
            return min(99, Int(Double(snapshot.uploadedByteCount ?? 0) / Double(whole) * 100))
        }
    }
}

/// A group as `--json` shows it. Names are a promise to scripts: add, never rename.
package struct SnapshotGroupOutput: Encodable, Equatable, Sendable {
    package var id: String
    package var description: String
    package var state: String
    package var reason: String?
    package var created: String
    package var asOf: String
    package var pauseMilliseconds: Double
    package var snapshots: [SnapshotOutput]

    package init(_ group: SnapshotGroupDescription) {
        id = group.id.description
        description = group.description
        state = group.state.word
        reason = group.reason
        created = Timestamp(milliseconds: group.createdMilliseconds).iso8601
        asOf = Timestamp(milliseconds: group.cutMilliseconds).iso8601
        pauseMilliseconds = Double(group.pauseMicroseconds) / 1000
        snapshots = group.members.map(SnapshotOutput.init)
    }

    package static func table(_ groups: [SnapshotGroupDescription]) -> String {
        var table = Table(["ID", "STATE", "AS OF", "PAUSE", "SNAPSHOTS", "DESCRIPTION"])
        for group in groups {
            table.add([
                group.id.description, group.state.word, Timestamp(milliseconds: group.cutMilliseconds).iso8601,
                HumanText.milliseconds(microseconds: group.pauseMicroseconds),
                group.members.map { "\($0.volumeName)=\($0.id)" }.joined(separator: " "), group.description,
            ])
        }
        let troubled = groups.filter { $0.reason != nil }.map { "\($0.id): \($0.reason ?? "")\n" }
        return table.render() + troubled.joined()
    }
}

extension SnapshotState {
    package var word: String {
        switch self {
        case .pending: "pending"
        case .completed: "completed"
        case .error: "error"
        case .deleting: "deleting"
        }
    }
}
