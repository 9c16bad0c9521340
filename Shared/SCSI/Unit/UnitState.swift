// SPDX-License-Identifier: Apache-2.0

/// What initiators have made of a unit beyond its data: everything that a restart of its owner must keep.
package struct UnitState: Equatable, Sendable {
    package static let version = 1

    /// Names the run of the machine. Under another one the state is what a power-on leaves of it.
    package internal(set) var powerOnID: String
    package internal(set) var nexuses = NexusTable()
    /// Holds the reservation of RESERVE (SPC-2 §5.5.1).
    package internal(set) var reservingNexus: NexusID?
    package internal(set) var persistentReservations = PersistentReservations()
    /// SWP of the control mode page.
    package internal(set) var isSoftwareWriteProtected = false
    package internal(set) var isSanitizing = false
    /// Only of a removable medium; neither resets nor a power-on load it again.
    package internal(set) var isEjected = false
    package internal(set) var answered = CommandMemory()
    /// Nil when it was saved by a version that did not say.
    var told: ToldUnit?
    /// Who has read that the write cache is on since it was switched on, and flushed; the others take what they wrote
    /// for durable. Nil: nothing is known of it ever having been off.
    package internal(set) var writeCacheReaders: Set<NexusID>?
    /// Grows with each TARGET COLD RESET: sessions that began when it was lower are over.
    package internal(set) var coldResetCount: UInt64 = 0

    init(powerOnID: String) { self.powerOnID = powerOnID }

    /// SPC-4 §5.13.2 and SPC-2 §5.5.1. A sanitize goes on; what frontends were answered stays answered, since their
    /// machines may have kept running.
    mutating func powerOn(_ id: String) {
        powerOnID = id
        persistentReservations.powerOn()
        nexuses.lost = []
        reset(.powerOnOccurred)
    }

    /// What every kind of reset ends (SAM-5 §6.3).
    mutating func reset(_ attention: UnitAttention) {
        reservingNexus = nil
        isSoftwareWriteProtected = false
        nexuses.allowRemoval()
        nexuses.dropCopies()
        nexuses.post(attention)
    }

    /// Those without a session make room: an initiator that is left out is only slower.
    mutating func addWriteCacheReader(_ nexus: NexusID) {
        let limit = NexusTable.maximumAttachedCount
        if let readers = writeCacheReaders, readers.count >= limit {
            writeCacheReaders = readers.filter { nexuses.attached[$0] != nil }
        }
        writeCacheReaders?.insert(nexus)
    }

    /// A session of the nexus ended: what hung on it ends too, registrations stay.
    mutating func lose(_ nexus: NexusID) {
        if reservingNexus == nexus { reservingNexus = nil }
        nexuses.lose(nexus)
    }
}
