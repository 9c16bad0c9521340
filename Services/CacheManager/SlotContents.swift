// SPDX-License-Identifier: Apache-2.0
package import Engine
import ServiceKit
package import Wire

/// What a slot holds, as whoever takes it over begins with. Reading it blocks.
package struct SlotContents: Sendable {
    package var states: [LocalState]
    /// Volumes whose removal was cut short.
    package var beingRemoved: [VolumeID]
    package var promises: Promises
    package var standbys: StandbyFiles.Contents

    package var volumes: Set<VolumeID> { Set(states.map(\.volume)) }

    /// - Throws: what a person has to see to before anything of the slot can be used.
    package init(of slot: StateSlot) throws {
        try self.init(volumes: slot.volumesPath, snapshots: slot.snapshotsPath, standbys: slot.standbysPath)
    }

    /// The three folders of a slot.
    package init(volumes: String, snapshots: String, standbys: String) throws {
        let registry = VolumeRegistry(SlotFolders(volumes))
        let stored = try registry.contents(of: volumes)
        beingRemoved = stored.beingRemoved
        states = try stored.volumes.map { volume in
            do {
                return try registry.load(volume)
            } catch {
                throw ServiceFailure(
                    .badData,
                    "the local state of volume \(volume) in \(volumes) cannot be used: \(error); "
                        + "restore it, or move its directory away and attach the volume from the bucket again")
            }
        }
        promises = try PendingSnapshotFiles(SlotFolders(snapshots)).promises(in: snapshots, of: stored.volumes)
        self.standbys = try StandbyFiles(SlotFolders(standbys)).contents(of: standbys)
    }
}
