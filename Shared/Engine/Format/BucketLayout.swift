// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Where things are in the bucket, relative to its configured prefix (STORAGE §2).
package enum BucketLayout {
    /// The newest format this program reads and writes.
    package static let formatVersion = 1

    package static let format = ObjectKey("FORMAT")
    package static let volumesPrefix = "volumes/"
    package static let snapshotsPrefix = "snapshots/"
    package static let groupsPrefix = "groups/"

    package static func head(_ volume: VolumeID) -> ObjectKey { ObjectKey("volumes/\(volume)/HEAD") }

    /// `shard` spreads names over request partitions: the low byte of the pack's number.
    package static func dataPack(_ volume: VolumeID, _ name: PackName) -> ObjectKey {
        ObjectKey("volumes/\(volume)/data/\(shard(name))/\(name)")
    }
    package static func mapPack(_ volume: VolumeID, _ name: PackName) -> ObjectKey {
        ObjectKey("volumes/\(volume)/map/\(shard(name))/\(name)")
    }
    package static func snapshot(_ id: SnapshotID) -> ObjectKey { ObjectKey("snapshots/\(id)") }
    package static func group(_ id: SnapshotGroupID) -> ObjectKey { ObjectKey("groups/\(id)") }

    private static func shard(_ name: PackName) -> String { hexadecimal(UInt64(name.number & 0xff), digits: 2) }
}
