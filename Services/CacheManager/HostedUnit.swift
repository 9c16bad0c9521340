// SPDX-License-Identifier: Apache-2.0
import Engine
package import SCSI
import Wire

/// The logical unit of one volume: its device server, and what waits for the unit's state to be on the disk. Owned by
/// the shard, on its thread.
package final class HostedUnit {
    package internal(set) var server: DeviceServer
    /// What an earlier run has saved was read, or there is none. Before that, and of a volume whose files cannot be
    /// read ever, nothing is known of the unit: commands do not get past it and nothing is saved.
    package internal(set) var isLoaded = false
    /// A state is being written; `isStale`: it has changed since.
    var isSaving = false
    var isStale = false
    /// Why the state cannot be written, for people, and when that is tried again.
    var saveProblem: String?
    var saveAgainAt: UInt64?
    /// What is answered once the next state is on the disk, or, if it does not rest on that, cannot be put there.
    var waiting: [(restsOnIt: Bool, call: () -> Void)] = []
    /// EXTENDED COPY that is under way.
    var copies: [CopyRun] = []
    /// Initiators were warned that its upload buffer runs full.
    var isPastThreshold = false
    var isSanitizing = false
    var sanitizeAgainAt: UInt64?
    /// Who waits for the end of the sanitize.
    var sanitizers: [RequestOrigin] = []

    init(_ unit: LogicalUnit, powerOn: String) {
        server = DeviceServer(unit: unit, state: nil, powerOn: powerOn)
    }

    /// What an earlier run has saved.
    /// - Parameter unit: with the settings in effect, so that only what really changed is told.
    func take(_ state: UnitState?, of unit: LogicalUnit, powerOn: String) {
        server = DeviceServer(unit: unit, state: state, powerOn: powerOn)
        isLoaded = true
    }

    /// When `advanceUnit` is due.
    var nextDeadline: UInt64? {
        guard let first = saveAgainAt, let second = sanitizeAgainAt else { return saveAgainAt ?? sanitizeAgainAt }
        return min(first, second)
    }

    func takeSanitizers() -> [RequestOrigin] {
        defer { sanitizers = [] }
        return sanitizers
    }
}
