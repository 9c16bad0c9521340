// SPDX-License-Identifier: Apache-2.0
package import Wire

package enum SnapshotState: UInt8, Codable, Sendable { case pending = 1, completed = 2, error = 3, deleting = 4 }

package struct SnapshotDescription: Codable, Sendable, Equatable {
    package var id: SnapshotID
    package var volume: VolumeID
    package var volumeName: String
    package var volumeByteCount: UInt64
    package var description: String
    package var state: SnapshotState
    package var createdMilliseconds: UInt64
    package var commitNumber: UInt64
    package init(
        id: SnapshotID, volume: VolumeID, volumeName: String, volumeByteCount: UInt64, description: String,
        state: SnapshotState, createdMilliseconds: UInt64, commitNumber: UInt64
    ) {
        self.id = id
        self.volume = volume
        self.volumeName = volumeName
        self.volumeByteCount = volumeByteCount
        self.description = description
        self.state = state
        self.createdMilliseconds = createdMilliseconds
        self.commitNumber = commitNumber
    }
}

/// Retains the volume as it is now. Answers when the snapshot is in the bucket.
package struct SnapshotCreateRequest: BusRequest {
    package typealias Reply = SnapshotDescription
    package static let kind = MessageKind.snapshotCreate
    package var volume: VolumeReference
    package var description: String
    package init(volume: VolumeReference, description: String) {
        self.volume = volume
        self.description = description
    }
}

/// All snapshots in the bucket, or the one asked for (`BusFault.Code.unknownSnapshot` if there is none).
package struct SnapshotListRequest: BusRequest {
    package static let kind = MessageKind.snapshotList
    package var id: SnapshotID?
    package init(id: SnapshotID? = nil) { self.id = id }
    package struct Reply: Codable, Sendable {
        package var snapshots: [SnapshotDescription]
        package init(snapshots: [SnapshotDescription]) { self.snapshots = snapshots }
    }
}

package struct SnapshotDeleteRequest: BusRequest {
    package typealias Reply = SnapshotDescription
    package static let kind = MessageKind.snapshotDelete
    package var id: SnapshotID
    package init(id: SnapshotID) { self.id = id }
}
