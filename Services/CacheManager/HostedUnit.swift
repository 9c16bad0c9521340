// SPDX-License-Identifier: Apache-2.0
import Engine
import SCSI
import Wire

/// The logical unit of one volume: its device server, and what waits for the unit's state to be on the disk. Owned by
/// the shard, on its thread.
package final class HostedUnit {
    package var server: DeviceServer
    /// Sessions of initiators that began when it was lower are over. Counted from the start of this process, so frontends
    /// take a number that is lower than before for a new start.
    package internal(set) var coldResetCount: UInt64 = 0
    /// A state is being written; what changed since is written next.
    var isSaving = false
    var isStale = false
    /// Why the state cannot be written, for people, and when that is tried again.
    var saveProblem: String?
    var saveAgainAt: UInt64?
    /// What may be answered once the state as it was then is on the disk: the last list waits for the next write.
    var whenSaved: [[() -> Void]] = [[]]
    /// Task management that was carried out, so that a repeat only waits.
    private var managed: [RequestOrigin] = []

    init(_ unit: LogicalUnit, state: UnitState?, powerOn: String) {
        server = DeviceServer(unit: unit, state: state, powerOn: powerOn)
    }

    /// False: a repeat.
    func isNew(management origin: RequestOrigin) -> Bool {
        guard !managed.contains(origin) else { return false }
        if managed.count >= 64 { managed.removeFirst() }
        managed.append(origin)
        return true
    }
}

extension LogicalUnit {
    /// The unit that a volume is to initiators.
    init(_ head: Head, byteCount: UInt64, readiness: Readiness) {
        self.init(
            volume: head.volume, sectorCount: max(1, byteCount / UInt64(Geometry.sectorByteCount)),
            targetName: head.targetName,
            isWriteCacheEnabled: Durability(headText: head.durability) != .always,
            isReadOnly: head.isReadOnly, readiness: readiness)
        isSanitizeAllowed = head.isSanitizeAllowed
    }
}
