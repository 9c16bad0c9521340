// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform
import SCSI
import Wire

/// One volume as initiators see it: a target with one logical unit. Shared by its sessions, on the loop's thread.
final class Target {
    let volume: VolumeID
    let name: String
    /// The cache manager that has the volume, as it was when it listed it last.
    private(set) var manager: CacheLink.State
    /// Since when it is missing there without having been removed: it may come up at another cache manager.
    var missingSince: MonotonicInstant?
    /// What people and metrics call the volume.
    let volumeName: String
    /// From the receipt of commands to their answers.
    var latencies = VolumeLatencies()
    private(set) var decoder: CommandDecoder
    private(set) var status: VolumeStatus
    /// Sessions that began when it was lower have ended (`VolumeAccess`).
    private(set) var coldResetCount: UInt64

    init(_ description: VolumeDescription, at manager: CacheLink.State) {
        self.manager = manager
        volume = description.id
        name = description.targetName
        volumeName = description.name
        status = description.status
        coldResetCount = description.access?.coldResetCount ?? 0
        decoder = CommandDecoder(unit: Self.unit(description))
    }

    /// A volume that is being made or removed, or is another gateway's, is not there for initiators.
    static func isVisible(_ description: VolumeDescription) -> Bool {
        description.status != .creating && description.status != .deleting && description.status != .standby
            && description.byteCount >= UInt64(Geometry.sectorByteCount)
    }

    func update(_ description: VolumeDescription, at manager: CacheLink.State) {
        self.manager = manager
        missingSince = nil
        status = description.status
        coldResetCount = description.access?.coldResetCount ?? 0
        decoder.unit = Self.unit(description)
    }

    /// As far as a frontend speaks for it: what may change is the owner's to say.
    private static func unit(_ description: VolumeDescription) -> LogicalUnit {
        LogicalUnit(
            volume: description.id, sectorCount: description.byteCount / UInt64(Geometry.sectorByteCount),
            blockSize: description.blockSize ?? .sector, targetName: description.targetName,
            isRemovable: description.isRemovable ?? false,
            isSanitizeAllowed: description.access?.allowsSanitize ?? false)
    }
}
