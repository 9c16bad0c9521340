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
    /// The instant of which it is.
    package var cutMilliseconds: UInt64?
    /// Why it is pending still, or an error; for people.
    package var reason: String?
    /// Of what the bucket lacked at the cut: all of it, and what is stored by now. While it is pending.
    package var uploadByteCount: UInt64?
    package var uploadedByteCount: UInt64?
    /// Made from a recovery point: nothing was cut for it.
    package var isFromRecoveryPoint: Bool?
    /// Made for a clone, not by people.
    package var isInternal: Bool?
    package var group: SnapshotGroupID?
    /// Volumes whose data is the snapshot's.
    package var pinnedBy: [VolumeID]?
    /// Of these volumes, in their order.
    package var pinnedByNames: [String]?
    package init(
        id: SnapshotID, volume: VolumeID, volumeName: String, volumeByteCount: UInt64, description: String,
        state: SnapshotState, createdMilliseconds: UInt64, commitNumber: UInt64, cutMilliseconds: UInt64? = nil,
        reason: String? = nil, uploadByteCount: UInt64? = nil, uploadedByteCount: UInt64? = nil,
        isFromRecoveryPoint: Bool? = nil, isInternal: Bool? = nil, group: SnapshotGroupID? = nil,
        pinnedBy: [VolumeID]? = nil, pinnedByNames: [String]? = nil
    ) {
        self.id = id
        self.volume = volume
        self.volumeName = volumeName
        self.volumeByteCount = volumeByteCount
        self.description = description
        self.state = state
        self.createdMilliseconds = createdMilliseconds
        self.commitNumber = commitNumber
        self.cutMilliseconds = cutMilliseconds
        self.reason = reason
        self.uploadByteCount = uploadByteCount
        self.uploadedByteCount = uploadedByteCount
        self.isFromRecoveryPoint = isFromRecoveryPoint
        self.isInternal = isInternal
        self.group = group
        self.pinnedBy = pinnedBy
        self.pinnedByNames = pinnedByNames
    }
}

/// Retains the volume as it is now, or its newest recovery point. Answers when the snapshot is promised: it was cut
/// and survives the death of any process; it is `pending` until it is in the bucket.
package struct SnapshotCreateRequest: BusRequest {
    package typealias Reply = SnapshotDescription
    package static let kind = MessageKind.snapshotCreate
    package var volume: VolumeReference
    package var description: String
    package var fromRecoveryPoint: Bool?
    package var isInternal: Bool?
    package init(
        volume: VolumeReference, description: String, fromRecoveryPoint: Bool? = nil, isInternal: Bool? = nil
    ) {
        self.volume = volume
        self.description = description
        self.fromRecoveryPoint = fromRecoveryPoint
        self.isInternal = isInternal
    }
}

/// All snapshots in the bucket, or the one asked for (`BusFault.Code.unknownSnapshot` if there is none).
package struct SnapshotListRequest: BusRequest {
    package static let kind = MessageKind.snapshotList
    package var id: SnapshotID?
    /// Also those that were made for clones.
    package var includesInternal: Bool?
    package init(id: SnapshotID? = nil, includesInternal: Bool? = nil) {
        self.id = id
        self.includesInternal = includesInternal
    }
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
