// SPDX-License-Identifier: Apache-2.0
package import Wire

/// When a write is acknowledged (STORAGE §4).
package enum Durability: UInt8, Codable, Sendable, CaseIterable {
    /// When the kernel has it; durable at a flush or with FUA. The device reports WCE=1.
    case onFlush = 0
    /// After fdatasync. The device reports WCE=0.
    case always = 1
}

/// How packs are compressed: 0 stores raw, 1...9 is zstd's level.
package struct CompressionLevel: RawRepresentable, Codable, Sendable, Equatable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let none = Self(rawValue: 0)
    package static let standard = Self(rawValue: 1)
}

/// What a person asks for when making a volume.
package struct VolumeCreateRequest: BusRequest {
    package typealias Reply = VolumeDescription
    package static let kind = MessageKind.volumeCreate
    /// `[a-z0-9.-]`, 1...63 characters; unique in the gateway; the last part of the target's name.
    package var name: String
    /// A multiple of 1 GiB, 1 GiB ... 64 TiB; nil = the snapshot's size.
    package var byteCount: UInt64?
    package var snapshot: SnapshotID?
    package var durability: Durability
    package var compression: CompressionLevel
    /// 2...300.
    package var commitIntervalSeconds: UInt32
    /// Journal space of this volume; nil = the configured default.
    package var uploadBufferByteCount: UInt64?
    /// Owned by a lease of this length; nil: exclusively.
    package var leaseMilliseconds: UInt64?
    /// nil = the source's, or 512 bytes.
    package var blockSize: LogicalBlockSize?
    /// Initiators may eject the medium; nil = as the source, or not.
    package var isRemovable: Bool?
    package init(
        name: String, byteCount: UInt64?, snapshot: SnapshotID? = nil, durability: Durability = .onFlush,
        compression: CompressionLevel = .standard, commitIntervalSeconds: UInt32 = 10,
        uploadBufferByteCount: UInt64? = nil, leaseMilliseconds: UInt64? = nil, blockSize: LogicalBlockSize? = nil,
        isRemovable: Bool? = nil
    ) {
        self.name = name
        self.byteCount = byteCount
        self.snapshot = snapshot
        self.durability = durability
        self.compression = compression
        self.commitIntervalSeconds = commitIntervalSeconds
        self.uploadBufferByteCount = uploadBufferByteCount
        self.leaseMilliseconds = leaseMilliseconds
        self.blockSize = blockSize
        self.isRemovable = isRemovable
    }
}

/// Whether such a volume would be made now; asked before its snapshot is taken, so that a mistake costs none.
package struct VolumeCreateCheckRequest: BusRequest {
    package static let kind = MessageKind.volumeCreateCheck
    /// Without its snapshot.
    package var create: VolumeCreateRequest
    /// The volume that the snapshot will be of.
    package var source: VolumeReference
    package init(_ create: VolumeCreateRequest, source: VolumeReference) {
        self.create = create
        self.source = source
    }
    package struct Reply: Codable, Sendable {
        package init() {}
    }
}

package enum VolumeStatus: UInt8, Codable, Sendable {
    case creating = 1
    /// Recovering its journal or asking the bucket who owns it; commands wait.
    case opening = 2
    case available = 3
    /// Serves reads and writes, but the bucket does not answer or has no room: dirty data grows.
    case uploadStalled = 4
    /// Another gateway took the volume over: refuses everything, keeps its journal.
    case fenced = 5
    /// The journal's disk failed: refuses writes.
    case failed = 6
    case deleting = 7
    /// Another gateway's, watched here: taken over when its owner's lease runs out.
    case standby = 8
}

/// How it stands with a volume that is owned by lease.
package struct VolumeLease: Codable, Sendable, Equatable {
    package var milliseconds: UInt64
    /// The volume is answered for; at a standby: its owner was seen to renew within the lease.
    package var isHeld: Bool
    /// At a standby: the gateway that owns the volume.
    package var owner: GatewayID?
    package init(milliseconds: UInt64, isHeld: Bool, owner: GatewayID? = nil) {
        self.milliseconds = milliseconds
        self.isHeld = isHeld
        self.owner = owner
    }
}

/// One volume as its owner sees it now.
package struct VolumeDescription: Codable, Sendable, Equatable {
    package var id: VolumeID
    package var name: String
    package var targetName: String
    package var byteCount: UInt64
    package var status: VolumeStatus
    /// Why, for people; empty when available.
    package var statusReason: String
    package var durability: Durability
    package var compression: CompressionLevel
    package var commitIntervalSeconds: UInt32
    package var sourceSnapshot: SnapshotID?
    package var createdMilliseconds: UInt64
    package var generation: UInt32
    package var commitNumber: UInt64
    /// Milliseconds since 1970 of the newest recovery point's cut; 0 = none yet.
    package var recoveryPointMilliseconds: UInt64
    package var dirtyByteCount: UInt64
    /// Age of the oldest byte that is not in the bucket; 0 when clean.
    package var oldestDirtySeconds: Double
    package var uploadBufferUsedByteCount: UInt64
    package var uploadBufferByteCount: UInt64
    /// nil while the volume has no engine.
    package var reads: VolumeReadFigures?
    /// nil: owned exclusively.
    package var lease: VolumeLease?
    package var access: VolumeAccess?
    /// What initiators count in; nil: 512 bytes.
    package var blockSize: LogicalBlockSize?
    /// nil: no.
    package var isRemovable: Bool?
    package init(
        id: VolumeID, name: String, targetName: String, byteCount: UInt64, status: VolumeStatus,
        statusReason: String, durability: Durability, compression: CompressionLevel, commitIntervalSeconds: UInt32,
        sourceSnapshot: SnapshotID?, createdMilliseconds: UInt64, generation: UInt32, commitNumber: UInt64,
        recoveryPointMilliseconds: UInt64, dirtyByteCount: UInt64, oldestDirtySeconds: Double,
        uploadBufferUsedByteCount: UInt64, uploadBufferByteCount: UInt64,
        reads: VolumeReadFigures? = nil, lease: VolumeLease? = nil, access: VolumeAccess? = nil,
        blockSize: LogicalBlockSize? = nil, isRemovable: Bool? = nil
    ) {
        self.id = id
        self.name = name
        self.targetName = targetName
        self.byteCount = byteCount
        self.status = status
        self.statusReason = statusReason
        self.durability = durability
        self.compression = compression
        self.commitIntervalSeconds = commitIntervalSeconds
        self.sourceSnapshot = sourceSnapshot
        self.createdMilliseconds = createdMilliseconds
        self.generation = generation
        self.commitNumber = commitNumber
        self.recoveryPointMilliseconds = recoveryPointMilliseconds
        self.dirtyByteCount = dirtyByteCount
        self.oldestDirtySeconds = oldestDirtySeconds
        self.uploadBufferUsedByteCount = uploadBufferUsedByteCount
        self.uploadBufferByteCount = uploadBufferByteCount
        self.reads = reads
        self.lease = lease
        self.access = access
        self.blockSize = blockSize
        self.isRemovable = isRemovable
    }
}

/// What initiators may do with a volume.
package struct VolumeAccess: Codable, Sendable, Equatable {
    package var isReadOnly: Bool
    package var allowsSanitize: Bool
    /// Grows with each TARGET COLD RESET: sessions that began before end.
    package var coldResetCount: UInt64
    package init(isReadOnly: Bool = false, allowsSanitize: Bool = false, coldResetCount: UInt64 = 0) {
        self.isReadOnly = isReadOnly
        self.allowsSanitize = allowsSanitize
        self.coldResetCount = coldResetCount
    }
}

/// All volumes the cache manager owns. Frontends ask it for their targets, people for `sluice volume list`.
package struct VolumeListRequest: BusRequest {
    package static let kind = MessageKind.volumeList
    package init() {}
    package struct Reply: Codable, Sendable {
        package var volumes: [VolumeDescription]
        package init(volumes: [VolumeDescription]) { self.volumes = volumes }
    }
}

/// A volume named by its id (`vol-…`) or its name.
package struct VolumeReference: Codable, Sendable, Equatable {
    package var text: String
    package init(_ text: String) { self.text = text }
}

/// Answers when everything acknowledged before it is in the bucket.
package struct VolumeSyncRequest: BusRequest {
    package typealias Reply = VolumeDescription
    package static let kind = MessageKind.volumeSync
    package var volume: VolumeReference
    package init(volume: VolumeReference) { self.volume = volume }
}

/// Removes the volume from the gateway and marks it deleted in the bucket; its snapshots stay.
package struct VolumeDeleteRequest: BusRequest {
    package static let kind = MessageKind.volumeDelete
    package var volume: VolumeReference
    /// Also if snapshots of it are not in the bucket yet, which then never will be.
    package var losesSnapshots: Bool?
    package init(volume: VolumeReference, losesSnapshots: Bool? = nil) {
        self.volume = volume
        self.losesSnapshots = losesSnapshots
    }
    package struct Reply: Codable, Sendable {
        package var id: VolumeID
        package init(id: VolumeID) { self.id = id }
    }
}

/// The volumes that the bucket holds, owned by this gateway or not.
package struct VolumeDiscoverRequest: BusRequest {
    package static let kind = MessageKind.volumeDiscover
    package init() {}
    package struct Found: Codable, Sendable, Equatable {
        package var id: VolumeID
        package var name: String
        package var byteCount: UInt64
        package var generation: UInt32
        package var commitNumber: UInt64
        package var recoveryPointMilliseconds: UInt64
        package var owner: GatewayID
        package var isAttachedHere: Bool
        package var isDeleted: Bool
        package init(
            id: VolumeID, name: String, byteCount: UInt64, generation: UInt32, commitNumber: UInt64,
            recoveryPointMilliseconds: UInt64, owner: GatewayID, isAttachedHere: Bool, isDeleted: Bool
        ) {
            self.id = id
            self.name = name
            self.byteCount = byteCount
            self.generation = generation
            self.commitNumber = commitNumber
            self.recoveryPointMilliseconds = recoveryPointMilliseconds
            self.owner = owner
            self.isAttachedHere = isAttachedHere
            self.isDeleted = isDeleted
        }
    }
    package struct Reply: Codable, Sendable {
        package var volumes: [Found]
        package init(volumes: [Found]) { self.volumes = volumes }
    }
}

/// Opens a volume from the bucket on this gateway. `force` takes it from another owner, who is then fenced; without it
/// a volume under a lease is taken when the lease has run out.
package struct VolumeAttachRequest: BusRequest {
    package typealias Reply = VolumeDescription
    package static let kind = MessageKind.volumeAttach
    package var volume: VolumeReference
    package var force: Bool
    /// Not now: whenever its owner's lease runs out.
    package var standby: StandbyWish?
    package init(volume: VolumeReference, force: Bool, standby: StandbyWish? = nil) {
        self.volume = volume
        self.force = force
        self.standby = standby
    }
}

package enum StandbyWish: UInt8, Codable, Sendable {
    case begin = 1
    case cancel = 2
}
