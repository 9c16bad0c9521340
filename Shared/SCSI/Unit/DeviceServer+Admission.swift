// SPDX-License-Identifier: Apache-2.0

/// What may keep a command from being carried out, in the order of SAM-5 §5.14 and SPC-4 §5.13: unit attention,
/// reservations, sanitize, readiness, write protection.
extension DeviceServer {
    mutating func judge(_ traits: CommandDefinition.Traits, from origin: CommandOrigin) -> CommandResult? {
        defer { updateEventful() }
        switch state.answered.verdict(on: origin) {
        case .answered(.refused(let result)), .answered(.completed(let result)): return result
        case .answered(.flushes), .answered(.abortsTasks), .answered(.sanitizes), .stale: return .busy
        case .new: break
        }
        guard state.nexuses.takeIn(origin.nexus, through: origin.frontend) else { return .busy }
        guard let refusal = refusal(of: traits, from: origin.nexus) else { return nil }
        state.answered.remember(.refused(refusal.result), of: origin)
        return refusal.result
    }

    mutating func refusal(of traits: CommandDefinition.Traits, from nexus: NexusID) -> CommandRefusal? {
        if !traits.contains(.passesUnitAttention),
            let attention = state.nexuses.takeAttention(of: nexus)
        {
            // Nobody waits for that: after a crash it is told again at worst.
            needsSaving = true
            return .error(.unitAttention(attention))
        }
        if let holder = state.reservingNexus, holder != nexus, !traits.contains(.passesReserve) {
            return .reservationConflict
        }
        if !state.persistentReservations.permits(traits, of: nexus) { return .reservationConflict }
        if state.isSanitizing, !traits.contains(.passesSanitize) {
            return .error(.sanitizeInProgress(progress: sanitizeProgress))
        }
        if traits.contains(.needsReadyUnit) {
            do throws(SCSIError) { try checkMedium() } catch { return .error(error) }
        }
        if traits.contains(.writes), let error = writeProtection { return .error(error) }
        return nil
    }

    /// The traits of a command whose CDB decides some of them (SPC-4 table 65, SBC-3 table 13).
    static func traits(of definition: CommandDefinition, _ cdb: CDB) -> CommandDefinition.Traits {
        var traits = definition.traits
        switch definition.command {
        case .preventAllowMediumRemoval where !PreventAllowMediumRemovalCDB(cdb).prevent:
            traits.formUnion([.passesReserve, .passesPersistentReservation])
        case .startStopUnit:
            let fields = StartStopUnitCDB(cdb)
            if fields.start, fields.powerCondition == 0 { traits.insert(.passesPersistentReservation) }
        default: break
        }
        return traits
    }

    /// Whether a copy may go on to read or write here.
    /// - Parameter nexus: through which it was asked for; nil: through one of another unit, so that no reservation here
    ///   is its own.
    package func permitsCopy(writing: Bool, of nexus: NexusID? = nil) -> Bool {
        guard !state.isSanitizing, unit.readiness == .ready, !isMediumEjected else { return false }
        if let holder = state.reservingNexus, holder != nexus { return false }
        if writing, writeProtection != nil { return false }
        if let nexus { return state.persistentReservations.permits(writing ? [] : [.passesWriteExclusive], of: nexus) }
        guard let reservation = state.persistentReservations.reservation else { return true }
        return !writing && reservation.kind.admitsReads
    }
}
