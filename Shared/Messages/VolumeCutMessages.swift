// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Freezes volumes of one cache manager at one instant and answers when that would survive a power cut. What becomes
/// of the cuts is told by `PendingSnapshotsRequest`.
package struct VolumeCutRequest: BusRequest {
    package static let kind = MessageKind.volumeCut

    package struct Wish: Codable, Sendable, Equatable {
        package var snapshot: SnapshotID
        package var volume: VolumeReference
        package init(snapshot: SnapshotID, volume: VolumeReference) {
            self.snapshot = snapshot
            self.volume = volume
        }
    }
    package struct Group: Codable, Sendable, Equatable {
        package var id: SnapshotGroupID
        /// Those of other cache managers included.
        package var members: [SnapshotID]
        package init(id: SnapshotGroupID, members: [SnapshotID]) {
            self.id = id
            self.members = members
        }
    }

    package var wishes: [Wish]
    package var description: String
    package var createdMilliseconds: UInt64
    package var isInternal: Bool
    package var group: Group?
    /// Of `VolumeHoldRequest`: refused if that hold is over. nil: nobody else takes part.
    package var hold: UInt64?
    package init(
        wishes: [Wish], description: String, createdMilliseconds: UInt64, isInternal: Bool = false,
        group: Group? = nil, hold: UInt64? = nil
    ) {
        self.wishes = wishes
        self.description = description
        self.createdMilliseconds = createdMilliseconds
        self.isInternal = isInternal
        self.group = group
        self.hold = hold
    }

    package struct Reply: Codable, Sendable {
        package var snapshots: [PendingSnapshotDescription]
        /// How long the volumes stood still.
        package var pauseMicroseconds: UInt64
        package init(snapshots: [PendingSnapshotDescription], pauseMicroseconds: UInt64) {
            self.snapshots = snapshots
            self.pauseMicroseconds = pauseMicroseconds
        }
    }
}

/// The first half of a cut over several cache managers: writes to these volumes wait until the cut, or until the time
/// is up, which ends the hold and with it the chance to cut.
package struct VolumeHoldRequest: BusRequest {
    package static let kind = MessageKind.volumeHold
    package var volumes: [VolumeReference]
    package var holdMilliseconds: UInt32
    /// Ends this hold instead of beginning one.
    package var released: UInt64?
    package init(volumes: [VolumeReference], holdMilliseconds: UInt32, released: UInt64? = nil) {
        self.volumes = volumes
        self.holdMilliseconds = holdMilliseconds
        self.released = released
    }
    package struct Reply: Codable, Sendable {
        package var hold: UInt64
        package init(hold: UInt64) { self.hold = hold }
    }
}

/// A snapshot that was cut and is not known to be settled in the bucket.
package struct PendingSnapshotDescription: Codable, Sendable, Equatable {
    package var id: SnapshotID
    package var volume: VolumeID
    package var uploadByteCount: UInt64
    package var uploadedByteCount: UInt64
    /// Why it takes longer; empty while it goes on.
    package var waitingReason: String
    /// The record as the cache manager keeps it (docs/formats/snapshot.md), with HEAD once that is in the bucket.
    package var record: [UInt8]
    package init(
        id: SnapshotID, volume: VolumeID, uploadByteCount: UInt64, uploadedByteCount: UInt64, waitingReason: String,
        record: [UInt8]
    ) {
        self.id = id
        self.volume = volume
        self.uploadByteCount = uploadByteCount
        self.uploadedByteCount = uploadedByteCount
        self.waitingReason = waitingReason
        self.record = record
    }
}

/// What a cache manager has promised and nobody has taken over into the bucket yet.
package struct PendingSnapshotsRequest: BusRequest {
    package static let kind = MessageKind.pendingSnapshots
    /// Only those with a higher id: the last of the answer before.
    package var after: SnapshotID?
    package init(after: SnapshotID? = nil) { self.after = after }
    package struct Reply: Codable, Sendable {
        package var gateway: GatewayID
        /// Those that are being made included.
        package var volumes: [VolumeID]
        package var snapshots: [PendingSnapshotDescription]
        /// An answer does not hold more.
        package var hasMore: Bool
        /// The same in two answers: no snapshot was begun between them.
        package var revision: UInt64
        /// Slots of the state directory that this cache manager has, and that hold anything at all: what nobody has now
        /// is in no list.
        package var heldSlots: [UInt32]?
        package var filledSlots: [UInt32]?
        package init(
            gateway: GatewayID, volumes: [VolumeID], snapshots: [PendingSnapshotDescription], hasMore: Bool,
            revision: UInt64 = 0, heldSlots: [UInt32]? = nil, filledSlots: [UInt32]? = nil
        ) {
            self.revision = revision
            self.gateway = gateway
            self.volumes = volumes
            self.snapshots = snapshots
            self.hasMore = hasMore
            self.heldSlots = heldSlots
            self.filledSlots = filledSlots
        }
    }
}

/// The bucket holds how these ended; the cache manager may forget them. Those it does not know are no mistake.
package struct SettleSnapshotsRequest: BusRequest {
    package static let kind = MessageKind.settleSnapshots
    package var snapshots: [SnapshotID]
    package init(snapshots: [SnapshotID]) { self.snapshots = snapshots }
    package struct Reply: Codable, Sendable {
        package init() {}
    }
}
