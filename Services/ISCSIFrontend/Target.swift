// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform
import SCSI
import Wire

/// One volume as initiators see it: a target with one logical unit. Shared by its sessions, on the loop's thread.
final class Target {
    static let portalGroupTag: UInt16 = 1

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
    var server: DeviceServer
    private(set) var status: VolumeStatus

    init(_ description: VolumeDescription, at manager: CacheLink.State) {
        self.manager = manager
        volume = description.id
        name = description.targetName
        volumeName = description.name
        status = description.status
        server = DeviceServer(unit: Self.unit(description))
    }

    /// A volume that is being made or removed, or is another gateway's, is not there for initiators.
    static func isVisible(_ description: VolumeDescription) -> Bool {
        description.status != .creating && description.status != .deleting && description.status != .standby
            && description.byteCount >= UInt64(Geometry.sectorByteCount)
    }

    /// - Returns: the unit attention that tells initiators of the change, if it is one for them.
    func update(_ description: VolumeDescription, at manager: CacheLink.State) -> UnitAttention? {
        self.manager = manager
        missingSince = nil
        status = description.status
        let unit = Self.unit(description)
        let isResized = unit.sectorCount != server.unit.sectorCount
        server.unit = unit
        return isResized ? .capacityDataHasChanged : nil
    }

    private static func unit(_ description: VolumeDescription) -> LogicalUnit {
        var unit = LogicalUnit(
            volume: description.id, sectorCount: description.byteCount / UInt64(Geometry.sectorByteCount),
            targetName: description.targetName, isWriteCacheEnabled: description.durability == .onFlush)
        // While a volume opens, its owner holds the commands: initiators see a pause, not an error.
        unit.readiness = description.status == .fenced ? .manualInterventionRequired : .ready
        return unit
    }
}
