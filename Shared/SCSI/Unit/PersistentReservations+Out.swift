// SPDX-License-Identifier: Apache-2.0

/// What PERSISTENT RESERVE OUT does (SPC-4 §5.13.7-5.13.11, §6.16).
extension PersistentReservations {
    struct InitiatorPort: Equatable {
        let nexus: NexusID
        /// "iqn...,i,0x" and the ISID; empty: nobody has said.
        let name: String
    }

    /// What others notice of a command. The nexus that sent it is never told by unit attention: it has the status.
    struct Effects: Equatable {
        var attention: UnitAttention?
        var toldNexuses: [NexusID] = []
        /// Lost their registration to a preemption; each is told so.
        var preemptedNexuses: [NexusID] = []
    }

    /// All or nothing: a command that throws changes nothing.
    /// - Parameter named: whom the command names by TransportIDs.
    mutating func apply(
        _ command: PersistentReserveOutCommand, by port: InitiatorPort, naming named: [InitiatorPort] = []
    ) throws(CommandRefusal) -> Effects {
        let nexus = port.nexus
        if command.serviceAction == .register || command.serviceAction == .registerAndIgnoreExistingKey {
            return try register(command, port, and: named)
        }
        guard key(of: nexus) == command.key else { throw .reservationConflict }
        switch command.serviceAction {
        case .register, .registerAndIgnoreExistingKey: return Effects()
        case .registerAndMove: return try move(command, nexus, to: named)
        case .reserve: return try reserve(command, nexus)
        case .release: return try release(command, nexus)
        case .clear: return clear(nexus)
        case .preempt, .preemptAndAbort: return try preempt(command, nexus)
        }
    }

    private mutating func register(
        _ command: PersistentReserveOutCommand, _ port: InitiatorPort, and named: [InitiatorPort]
    ) throws(CommandRefusal) -> Effects {
        let nexus = port.nexus
        let position = registrants.firstIndex { $0.nexus == nexus }
        if command.serviceAction == .register {
            let expected = position.map { registrants[$0].key } ?? .none
            guard command.key == expected else { throw .reservationConflict }
        }
        if command.specifiesInitiatorPorts {
            // Table 61: only together with a new registration of the sender's own.
            guard position == nil, command.serviceActionKey != .none else { throw .invalidFieldInCDB(byte: 1, bit: 4) }
        }
        func registrant(_ key: ReservationKey, _ port: InitiatorPort) -> Registrant {
            Registrant(
                nexus: port.nexus, key: key, port: port.name, isForAllTargetPorts: command.isForAllTargetPorts)
        }
        var effects = Effects()
        switch (position, command.serviceActionKey) {
        case (nil, .none):
            return effects  // There is nothing to remove.
        case (let position?, .none):
            registrants.remove(at: position)
            effects = endAfterUnregistering(nexus)
        case (let position?, let key):
            registrants[position] = registrant(key, port)
        case (nil, let key):
            try append(([port] + named).map { registrant(key, $0) })
        }
        isKeptOverPowerLoss = command.isKeptOverPowerLoss
        generation &+= 1
        return effects
    }

    /// Who is registered already stays as it is.
    private mutating func append(_ added: [Registrant]) throws(CommandRefusal) {
        var all = registrants
        for registrant in added where !all.contains(where: { $0.nexus == registrant.nexus }) { all.append(registrant) }
        guard all.count <= Self.maximumRegistrantCount else { throw .error(.insufficientRegistrationResources) }
        registrants = all
    }

    /// REGISTER AND MOVE (SPC-4 §5.13.8): the reservation goes on under another holder, who need not be logged in.
    private mutating func move(
        _ command: PersistentReserveOutCommand, _ nexus: NexusID, to named: [InitiatorPort]
    ) throws(CommandRefusal) -> Effects {
        guard let reservation else { throw .invalidFieldInCDB(byte: 1, bit: 4) }
        guard reservation.holder == nexus else { throw .reservationConflict }
        guard command.serviceActionKey != .none else {
            throw .invalidFieldInParameterList(byte: PersistentReserveOutCommand.serviceActionKeyByte)
        }
        guard let holder = named.first, holder.nexus != nexus else {
            throw .invalidFieldInParameterList(byte: PersistentReserveOutCommand.transportIDByte)
        }
        if let position = registrants.firstIndex(where: { $0.nexus == holder.nexus }) {
            registrants[position].key = command.serviceActionKey
        } else {
            try append([Registrant(nexus: holder.nexus, key: command.serviceActionKey, port: holder.name)])
        }
        self.reservation?.holder = holder.nexus
        if command.endsRegistration { registrants.removeAll { $0.nexus == nexus } }
        isKeptOverPowerLoss = command.isKeptOverPowerLoss
        generation &+= 1
        return Effects()
    }

    /// The reservation of a holder ends with its registration. Those who could use the unit because of it are told;
    /// under the other kinds nobody else could.
    private mutating func endAfterUnregistering(_ nexus: NexusID) -> Effects {
        guard let ended = reservation else { return Effects() }
        guard ended.kind.isHeldByAll ? registrants.isEmpty : ended.holder == nexus else { return Effects() }
        reservation = nil
        return ended.kind.admitsRegistrants ? releasedEffects(by: nexus) : Effects()
    }

    private func releasedEffects(by nexus: NexusID) -> Effects {
        Effects(attention: .reservationsReleased, toldNexuses: others(than: nexus))
    }

    private func others(than nexus: NexusID) -> [NexusID] {
        registrants.lazy.map(\.nexus).filter { $0 != nexus }
    }

    private mutating func reserve(
        _ command: PersistentReserveOutCommand, _ nexus: NexusID
    ) throws(CommandRefusal) -> Effects {
        let kind = try command.checkedKind()
        if let reservation {
            guard isHolder(nexus), reservation.kind == kind else { throw .reservationConflict }
        }
        reservation = Reservation(kind: kind, holder: kind.isHeldByAll ? nil : nexus)
        return Effects()
    }

    private mutating func release(
        _ command: PersistentReserveOutCommand, _ nexus: NexusID
    ) throws(CommandRefusal) -> Effects {
        guard let released = reservation, isHolder(nexus) else { return Effects() }
        guard command.scope == 0, command.type == released.kind.rawValue else {
            throw .error(.invalidReleaseOfPersistentReservation)
        }
        reservation = nil
        return released.kind.admitsRegistrants ? releasedEffects(by: nexus) : Effects()
    }

    private mutating func clear(_ nexus: NexusID) -> Effects {
        let effects = Effects(attention: .reservationsPreempted, toldNexuses: others(than: nexus))
        registrants = []
        reservation = nil
        generation &+= 1
        return effects
    }

    /// A key that holds the reservation takes it over, the sender staying registered even if the key is its own:
    /// cluster agents come back with the key of their former nexus. Any other key only ends registrations.
    private mutating func preempt(
        _ command: PersistentReserveOutCommand, _ nexus: NexusID
    ) throws(CommandRefusal) -> Effects {
        let key = command.serviceActionKey
        var effects = Effects()
        if let held = reservation, holds(key, held) {
            let kind = try command.checkedKind()
            let isMatch = { (registrant: Registrant) in
                registrant.nexus != nexus && (held.kind.isHeldByAll || registrant.key == key)
            }
            effects.preemptedNexuses = registrants.filter(isMatch).map(\.nexus)
            registrants.removeAll(where: isMatch)
            reservation = Reservation(kind: kind, holder: kind.isHeldByAll ? nil : nexus)
            if kind != held.kind, held.kind.admitsRegistrants {
                effects.attention = .reservationsReleased
                effects.toldNexuses = others(than: nexus)
            }
        } else {
            guard key != .none else {
                throw .invalidFieldInParameterList(byte: PersistentReserveOutCommand.serviceActionKeyByte)
            }
            let matches = registrants.filter { $0.key == key }.map(\.nexus)
            guard !matches.isEmpty else { throw .reservationConflict }
            registrants.removeAll { $0.key == key }
            effects.preemptedNexuses = matches.filter { $0 != nexus }
            if reservation?.kind.isHeldByAll == true, registrants.isEmpty { reservation = nil }
        }
        generation &+= 1
        return effects
    }

    /// Whether `key` names who holds the reservation. All registrants together have the key 0 (SPC-4 §5.13.11.2.1).
    private func holds(_ key: ReservationKey, _ held: Reservation) -> Bool {
        guard let holder = held.holder else { return key == .none }
        return self.key(of: holder) == key
    }
}
