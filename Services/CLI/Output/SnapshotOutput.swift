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
    package var created: String
    package var commitNumber: UInt64

    package init(_ snapshot: SnapshotDescription) {
        id = snapshot.id.description
        volume = snapshot.volume.description
        volumeName = snapshot.volumeName
        sizeBytes = snapshot.volumeByteCount
        description = snapshot.description
        state = snapshot.state.word
        created = Timestamp(milliseconds: snapshot.createdMilliseconds).iso8601
        commitNumber = snapshot.commitNumber
    }

    package static func table(_ snapshots: [SnapshotDescription]) -> String {
        var table = Table(["ID", "VOLUME", "SIZE", "STATE", "CREATED", "DESCRIPTION"])
        for snapshot in snapshots {
            table.add([
                snapshot.id.description, snapshot.volumeName,
                ByteSize(byteCount: snapshot.volumeByteCount).description, snapshot.state.word,
                Timestamp(milliseconds: snapshot.createdMilliseconds).iso8601, snapshot.description,
            ])
        }
        return table.render()
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
