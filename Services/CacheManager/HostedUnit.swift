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
    /// Nexuses that another frontend has taken over, which is not on the disk yet.
    var unsavedTakeOvers: Set<UInt64> = []
    /// EXTENDED COPY that is under way.
    var copies: [CopyRun] = []
    /// Initiators were warned that its upload buffer runs full.
    var isPastThreshold = false
    /// TARGET COLD RESET ends all sessions: who waits for the ends of those of other frontends, which learn of it with
    /// the next list of volumes, and until when.
    var coldResets: [(open: Set<NexusID>, deadline: UInt64, call: () -> Void)] = []
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
        ([saveAgainAt, sanitizeAgainAt] + coldResets.map(\.deadline)).compactMap { $0 }.min()
    }

    /// These sessions are over, or begun anew.
    func sessionsEnded(where isEnded: (NexusID) -> Bool, at nanoseconds: UInt64) {
        guard !coldResets.isEmpty else { return }
        for index in coldResets.indices {
            coldResets[index].open = coldResets[index].open.filter { !isEnded($0) }
        }
        let done = coldResets.filter { $0.open.isEmpty || $0.deadline <= nanoseconds }
        coldResets.removeAll { $0.open.isEmpty || $0.deadline <= nanoseconds }
        for reset in done { reset.call() }
    }

    func takeSanitizers() -> [RequestOrigin] {
        defer { sanitizers = [] }
        return sanitizers
    }
}
