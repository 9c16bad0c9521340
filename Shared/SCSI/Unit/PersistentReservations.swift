// SPDX-License-Identifier: Apache-2.0

/// Registrations and the persistent reservation of one unit, SPC-4 §5.13: a pure state machine. Registrations belong to
/// an I_T nexus and outlive its sessions.
package struct PersistentReservations: Equatable, Sendable {
    /// TYPE, SPC-4 table 64.
    package enum Kind: UInt8, CaseIterable, Codable, Sendable {
        case writeExclusive = 1
        case exclusiveAccess = 3
        case writeExclusiveRegistrantsOnly = 5
        case exclusiveAccessRegistrantsOnly = 6
        case writeExclusiveAllRegistrants = 7
        case exclusiveAccessAllRegistrants = 8

        /// Every registrant may use the unit, so each of them has to be told when that ends.
        var admitsRegistrants: Bool { rawValue >= 5 }
        /// Every registrant holds the reservation; it ends with the last of them.
        var isHeldByAll: Bool { rawValue >= 7 }
        /// Everybody may read.
        var admitsReads: Bool {
            self == .writeExclusive || self == .writeExclusiveRegistrantsOnly || self == .writeExclusiveAllRegistrants
        }
    }

    package struct Registrant: Equatable, Sendable {
        package let nexus: NexusID
        package var key: ReservationKey
        /// The initiator port's name, for its TransportID.
        package var port: String
        /// ALL_TG_PT, as READ FULL STATUS tells it.
        package var isForAllTargetPorts = false
    }

    package struct Reservation: Equatable, Sendable {
        package var kind: Kind
        /// Nil for the kinds that all registrants hold.
        package var holder: NexusID?
    }

    /// More than the largest clusters register over all their paths.
    package static let maximumRegistrantCount = 512

    /// In the order of registration; each nexus once.
    package internal(set) var registrants: [Registrant] = [] { didSet { collectRegisteredNexuses() } }
    /// Those of the registrants, so that no command looks through them.
    private var registeredNexuses: Set<NexusID> = []
    package internal(set) var reservation: Reservation?
    /// PRGENERATION: lets initiators see that registrations changed.
    package internal(set) var generation: UInt32 = 0
    /// APTPL of the last registration: all of this outlives a power-on.
    package internal(set) var isKeptOverPowerLoss = false

    package init() {}

    package func key(of nexus: NexusID) -> ReservationKey? {
        registrants.first { $0.nexus == nexus }?.key
    }

    func isRegistered(_ nexus: NexusID) -> Bool { registeredNexuses.contains(nexus) }

    package func isHolder(_ nexus: NexusID) -> Bool {
        guard let reservation else { return false }
        return reservation.kind.isHeldByAll ? isRegistered(nexus) : reservation.holder == nexus
    }

    /// Whether a command with these traits may run (SPC-4 table 65).
    func permits(_ traits: CommandDefinition.Traits, of nexus: NexusID) -> Bool {
        guard let reservation, !traits.contains(.passesPersistentReservation) else { return true }
        if reservation.kind.admitsReads, traits.contains(.passesWriteExclusive) { return true }
        if reservation.kind.admitsRegistrants { return isRegistered(nexus) }
        return reservation.holder == nexus
    }

    mutating func collectRegisteredNexuses() { registeredNexuses = Set(registrants.lazy.map(\.nexus)) }

    /// Nobody is registered any more.
    mutating func clear() {
        registrants = []
        reservation = nil
        generation &+= 1
    }

    /// A nexus may have registered before it was known what it is called.
    mutating func name(_ nexus: NexusID, port: String) {
        guard let position = registrants.firstIndex(where: { $0.nexus == nexus }) else { return }
        registrants[position].port = NexusTable.checked(port)
    }

    /// A new power-on counts generations from 0 (SPC-4 §6.15.2), and keeps the rest only if asked to.
    mutating func powerOn() {
        if !isKeptOverPowerLoss { self = PersistentReservations() }
        generation = 0
    }
}
