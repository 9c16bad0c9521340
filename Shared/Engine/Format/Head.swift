// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A pack as HEAD, snapshots and pack tables name it. The owner is another volume's id when this volume was made
/// from a snapshot.
package struct PackReference: Hashable, Codable, Sendable {
    package var owner: VolumeID
    package var name: PackName
    /// The object's size.
    package var byteCount: UInt64
    /// Where the directory lies, so that opening costs one ranged GET; it ends where the footer starts.
    package var directoryOffset: UInt64
    package var directoryByteCount: UInt32
    package init(
        owner: VolumeID, name: PackName, byteCount: UInt64, directoryOffset: UInt64, directoryByteCount: UInt32
    ) {
        self.owner = owner
        self.name = name
        self.byteCount = byteCount
        self.directoryOffset = directoryOffset
        self.directoryByteCount = directoryByteCount
    }
}

/// A node of the map inside a map pack.
package struct NodePointer: Hashable, Codable, Sendable {
    package var owner: VolumeID
    package var pack: PackName
    package var byteOffset: UInt32
    package var byteCount: UInt32
    package var checksum: UInt32
    package init(owner: VolumeID, pack: PackName, byteOffset: UInt32, byteCount: UInt32, checksum: UInt32) {
        self.owner = owner
        self.pack = pack
        self.byteOffset = byteOffset
        self.byteCount = byteCount
        self.checksum = checksum
    }
}

/// A complete image of a volume in the bucket: the tree, then the packs since the last fold in commit order.
package struct ImageRoot: Hashable, Codable, Sendable {
    /// nil: an empty tree.
    package var tree: NodePointer?
    package var packTable: NodePointer?
    package var packs: [PackReference]
    package init(tree: NodePointer? = nil, packTable: NodePointer? = nil, packs: [PackReference] = []) {
        self.tree = tree
        self.packTable = packTable
        self.packs = packs
    }
}

/// The mutable record of a volume (STORAGE §2): JSON, at most 256 KiB, only ever written under a precondition.
package struct Head: Hashable, Codable, Sendable {
    package enum Mode: String, Codable, Sendable { case cached }
    package enum Ownership: String, Codable, Sendable { case exclusive, lease }
    package enum State: String, Codable, Sendable { case live, deleted }

    package var formatVersion: Int
    package var volume: VolumeID
    package var name: String
    package var targetName: String
    package var byteCount: UInt64
    package var blockByteCount: Int
    /// What initiators count in. Absent: 512 bytes.
    package private(set) var logicalBlockByteCount: LogicalBlockSize?
    /// Initiators may eject the medium. Absent: no.
    package private(set) var removable: Bool?
    package var mode: Mode
    package var ownership: Ownership
    /// Of a lease: how long whoever wrote HEAD owns the volume, and which writing this is.
    package var leaseMilliseconds: UInt64?
    package var renewal: LeaseRenewal?
    package var state: State
    package var createdMilliseconds: UInt64
    package var sourceSnapshot: SnapshotID?
    /// Settings that a volume rebuilt elsewhere must have: durability "onFlush" or "always", zstd level (0 = raw),
    /// commit interval.
    package var durability: String
    package var compressionLevel: Int
    package var commitIntervalSeconds: Int
    package var uploadBufferByteCount: UInt64
    /// Absent: no. Initiators may only read; they may ask for SANITIZE.
    package var readOnly: Bool?
    package var sanitizeAllowed: Bool?

    /// A restore in place starts a new lineage; birth numbers compare only within one.
    package var lineage: UInt64
    package var generation: Generation
    package var owner: GatewayID
    package var commit: CommitID
    package var commitNumber: UInt64
    /// The image is the journal up to here and nothing newer.
    package var journalSequence: JournalSequence
    package var cutMilliseconds: UInt64
    /// Counts folds; the birth of a map entry is the fold that wrote it.
    package var foldNumber: UInt64
    package var root: ImageRoot
    package var cleanShutdown: Bool

    /// What is not given is what a volume begins with.
    package init(
        formatVersion: Int? = nil, volume: VolumeID, name: String, targetName: String, byteCount: UInt64,
        blockByteCount: Int = Geometry.blockByteCount, blockSize: LogicalBlockSize = .sector,
        isRemovable: Bool = false, mode: Mode = .cached,
        ownership: Ownership = .exclusive,
        leaseMilliseconds: UInt64? = nil, state: State = .live, createdMilliseconds: UInt64,
        sourceSnapshot: SnapshotID? = nil, durability: String,
        compressionLevel: Int, commitIntervalSeconds: Int, uploadBufferByteCount: UInt64, lineage: UInt64,
        generation: Generation = Generation(1), owner: GatewayID, commit: CommitID, commitNumber: UInt64 = 1,
        journalSequence: JournalSequence = .zero, cutMilliseconds: UInt64, foldNumber: UInt64 = 0,
        root: ImageRoot = ImageRoot(), cleanShutdown: Bool = false, readOnly: Bool? = nil,
        sanitizeAllowed: Bool? = nil
    ) {
        self.formatVersion = formatVersion ?? HeadFormat.version(of: blockSize)
        self.volume = volume
        self.name = name
        self.targetName = targetName
        self.byteCount = byteCount
        self.blockByteCount = blockByteCount
        removable = isRemovable ? true : nil
        logicalBlockByteCount = blockSize == .sector ? nil : blockSize
        self.mode = mode
        self.ownership = ownership
        self.leaseMilliseconds = leaseMilliseconds
        self.state = state
        self.createdMilliseconds = createdMilliseconds
        self.sourceSnapshot = sourceSnapshot
        self.durability = durability
        self.compressionLevel = compressionLevel
        self.commitIntervalSeconds = commitIntervalSeconds
        self.uploadBufferByteCount = uploadBufferByteCount
        self.readOnly = readOnly
        self.sanitizeAllowed = sanitizeAllowed
        self.lineage = lineage
        self.generation = generation
        self.owner = owner
        self.commit = commit
        self.commitNumber = commitNumber
        self.journalSequence = journalSequence
        self.cutMilliseconds = cutMilliseconds
        self.foldNumber = foldNumber
        self.root = root
        self.cleanShutdown = cleanShutdown
    }

    package var isRemovable: Bool { removable ?? false }
    package var blockSize: LogicalBlockSize { logicalBlockByteCount ?? .sector }
}
