// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
package import SCSI
package import Wire

/// The volumes of one cache manager on disk: `<volumes of a slot>/<volume id>/state.json`, and beside it `unit.json`
/// with what initiators have made of the volume's logical unit, as soon as there is something. Only paths, so any thread
/// may use it; every call blocks. A volume exists here from its first saved state until `beginRemoval`, which outlives
/// a crash.
package struct VolumeRegistry: Sendable {
    private let folders: SlotFolders
    package init(_ folders: SlotFolders) { self.folders = folders }

    package struct Contents: Sendable {
        package var volumes: [VolumeID] = []
        /// Their removal was cut short; to be finished at start.
        package var beingRemoved: [VolumeID] = []
    }

    /// What is in one slot. Directories without a state were never finished and are removed here.
    package func contents(of folder: String) throws -> Contents {
        var contents = Contents()
        for name in try Platform.FileSystem.list(folder) {
            guard let volume = VolumeID(name) else { continue }
            if Platform.FileSystem.exists(removalMark(volume)) {
                contents.beingRemoved.append(volume)
            } else if Platform.FileSystem.exists(statePath(volume)) {
                contents.volumes.append(volume)
            } else {
                try removeEverything(of: volume)
            }
        }
        return contents
    }

    package func load(_ volume: VolumeID) throws -> LocalState {
        let bytes = try Platform.FileSystem.readFile(statePath(volume), limit: LocalStateFormat.byteLimit)
        return try LocalStateFormat.decode(bytes)
    }

    /// Atomic and durable; the first one makes the volume exist.
    package func save(_ state: LocalState) throws(SystemError) {
        let bytes: [UInt8]
        do throws(EngineError) {
            bytes = try LocalStateFormat.encode(state)
        } catch {
            // Only a state larger than the format allows; writing it would make it unreadable at the next start.
            throw SystemError(errorNumber: EFBIG, call: "encode", path: statePath(state.volume))
        }
        try Platform.FileSystem.makeDurableDirectory(directory(state.volume))
        try Platform.FileSystem.replaceFile(statePath(state.volume), with: bytes)
    }

    /// nil: nothing was saved.
    package func loadUnit(of volume: VolumeID) throws -> UnitState? {
        guard Platform.FileSystem.exists(unitPath(volume)) else { return nil }
        return try UnitStateFormat.decode(
            try Platform.FileSystem.readFile(unitPath(volume), limit: UnitStateFormat.byteLimit))
    }

    /// Atomic and durable. Only for volumes that exist.
    package func save(_ state: UnitState, of volume: VolumeID) throws {
        try Platform.FileSystem.replaceFile(unitPath(volume), with: try UnitStateFormat.encode(state))
    }

    /// The volume is gone from here; its state lies beside, under another name.
    package func setAside(_ volume: VolumeID, moment: UInt64) throws(SystemError) {
        let folder = folders.folder(of: "\(volume)")
        guard Platform.FileSystem.exists("\(folder)/\(volume)") else { return }
        try Platform.FileSystem.rename("\(folder)/\(volume)", to: "\(folder)/\(volume).set-aside-\(moment)")
        try Platform.FileSystem.syncDirectory(folder)
    }

    /// From here on the volume is gone, whatever happens; what is left of it is removed at the next start at latest.
    package func beginRemoval(of volume: VolumeID) throws(SystemError) {
        guard Platform.FileSystem.exists(directory(volume)) else { return }
        try Platform.FileSystem.replaceFile(removalMark(volume), with: [])
    }

    /// Last step of a removal, after the journal is gone.
    package func finishRemoval(of volume: VolumeID) throws(SystemError) { try removeEverything(of: volume) }

    private func removeEverything(of volume: VolumeID) throws(SystemError) {
        // The mark goes last: without it and with a state the volume would exist again.
        for file in [unitPath(volume), statePath(volume), removalMark(volume)] {
            try Platform.FileSystem.remove(file + ".new")
            try Platform.FileSystem.remove(file)
        }
        let folder = folders.folder(of: "\(volume)")
        try Platform.FileSystem.removeDirectory("\(folder)/\(volume)")
        try Platform.FileSystem.syncDirectory(folder)
    }

    private func directory(_ volume: VolumeID) -> String { "\(folders.folder(of: "\(volume)"))/\(volume)" }
    private func statePath(_ volume: VolumeID) -> String { directory(volume) + "/state.json" }
    private func unitPath(_ volume: VolumeID) -> String { directory(volume) + "/unit.json" }
    private func removalMark(_ volume: VolumeID) -> String { directory(volume) + "/removed" }
}
