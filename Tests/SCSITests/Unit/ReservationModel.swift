// SPDX-License-Identifier: Apache-2.0
import SCSI

/// What reservations should do, written from the standard's tables with nothing in common with the module:
/// dictionaries, and one rule after the other.
struct ReservationModel {
    var keys: [UInt64: UInt64] = [:]
    var type: UInt8?
    /// Nil for the types that all registrants hold.
    var holder: UInt64?
    var generation: UInt32 = 0
    var isKept = false
    var reserver: UInt64?
    var sessions: Set<UInt64> = []
    var known: Set<UInt64> = []
    var pending: [UInt64: [UInt16]] = [:]

    private var isForAll: Bool { type == 7 || type == 8 }
    private var isForRegistrants: Bool { (type ?? 0) >= 5 }

    func holds(_ nexus: UInt64) -> Bool {
        guard type != nil else { return false }
        return isForAll ? keys[nexus] != nil : holder == nexus
    }

    mutating func post(_ code: UInt16, _ nexuses: some Sequence<UInt64>) {
        for nexus in nexuses where sessions.contains(nexus) {
            if code >> 8 == 0x29 { pending[nexus] = [] }
            if !pending[nexus, default: []].contains(code) { pending[nexus, default: []].append(code) }
        }
    }

    mutating func takeAttention(_ nexus: UInt64) -> Answer? {
        guard let first = pending[nexus]?.first else { return nil }
        pending[nexus]?.removeFirst()
        return .attention(first)
    }

    // MARK: Events

    mutating func attach(_ nexus: UInt64) {
        let isStillNew = sessions.contains(nexus) && pending[nexus]?.contains(0x2901) == true
        let isReturning = known.contains(nexus) && !isStillNew
        if reserver == nexus { reserver = nil }
        sessions.insert(nexus)
        known.insert(nexus)
        pending[nexus] = []
        post(isReturning ? 0x2907 : 0x2901, [nexus])
    }

    mutating func lose(_ nexus: UInt64) {
        if reserver == nexus { reserver = nil }
        sessions.remove(nexus)
        pending[nexus] = nil
    }

    mutating func reset(_ code: UInt16) {
        reserver = nil
        post(code, sessions)
    }

    mutating func powerOn() {
        if !isKept {
            keys = [:]
            (type, holder) = (nil, nil)
        }
        generation = 0
        known = sessions
        reset(0x2901)
    }

    // MARK: Commands

    mutating func medium(writes: Bool, _ nexus: UInt64) -> Answer {
        if let attention = takeAttention(nexus) { return attention }
        if let reserver, reserver != nexus { return .conflict }
        guard let type else { return .good }
        if holds(nexus) { return .good }
        if isForRegistrants, keys[nexus] != nil { return .good }
        let isWriteExclusive = type == 1 || type == 5 || type == 7
        return isWriteExclusive && !writes ? .good : .conflict
    }

    mutating func reserve(_ nexus: UInt64) -> Answer {
        if let attention = takeAttention(nexus) { return attention }
        if let reserver, reserver != nexus { return .conflict }
        if !keys.isEmpty { return .conflict }
        reserver = nexus
        return .good
    }

    mutating func release(_ nexus: UInt64) -> Answer {
        if let attention = takeAttention(nexus) { return attention }
        // Nobody else's reservation can be there for a command that RELEASE's own reservation does not let through.
        if type != nil, !holds(nexus), !(isForRegistrants && keys[nexus] != nil) { return .conflict }
        if reserver == nexus {
            reserver = nil
            return .good
        }
        return keys.isEmpty ? .good : .conflict
    }

    mutating func out(
        _ action: UnitOwner.Out, scopeAndType: UInt8, key: UInt64, newKey: UInt64, keeps: Bool, _ nexus: UInt64
    ) -> Answer {
        if let attention = takeAttention(nexus) { return attention }
        if let reserver, reserver != nexus { return .conflict }
        if action == .register || action == .registerAndIgnore {
            return register(key, newKey, ignores: action == .registerAndIgnore, keeps: keeps, nexus)
        }
        guard let own = keys[nexus], own == key else { return .conflict }
        let isValid = [1, 3, 5, 6, 7, 8].contains(scopeAndType)
        switch action {
        case .reserve:
            if !isValid { return .illegal(0x2400) }
            if type == nil {
                setReservation(scopeAndType, nexus)
                return .good
            }
            return holds(nexus) && type == scopeAndType ? .good : .conflict
        case .release:
            if !holds(nexus) { return .good }
            if type != scopeAndType { return .illegal(0x2604) }
            endReservation(nexus)
        case .clear:
            post(0x2A03, keys.keys.filter { $0 != nexus })
            keys = [:]
            (type, holder) = (nil, nil)
            generation += 1
        default:
            return preempt(scopeAndType, isValid: isValid, newKey, nexus)
        }
        return .good
    }

    private mutating func register(
        _ key: UInt64, _ newKey: UInt64, ignores: Bool, keeps: Bool, _ nexus: UInt64
    ) -> Answer {
        if !ignores, key != keys[nexus] ?? 0 { return .conflict }
        if keys[nexus] == nil, newKey == 0 { return .good }
        let wasHolder = holds(nexus)
        keys[nexus] = newKey == 0 ? nil : newKey
        generation += 1
        isKept = keeps
        if newKey == 0, wasHolder, !isForAll || keys.isEmpty { endReservation(nexus) }
        return .good
    }

    private mutating func preempt(_ newType: UInt8, isValid: Bool, _ newKey: UInt64, _ nexus: UInt64) -> Answer {
        let takesOver = type != nil && (isForAll ? newKey == 0 : holder.flatMap { keys[$0] } == newKey)
        if takesOver {
            if !isValid { return .illegal(0x2400) }
            let gone = keys.filter { $0.key != nexus && (newKey == 0 || $0.value == newKey) }.keys
            for other in gone { keys[other] = nil }
            post(0x2A05, gone)
            if newType != type, isForRegistrants { post(0x2A04, keys.keys.filter { $0 != nexus }) }
            setReservation(newType, nexus)
        } else {
            if newKey == 0 { return .illegal(0x2600) }
            let gone = keys.filter { $0.value == newKey }.keys
            if gone.isEmpty { return .conflict }
            for other in gone { keys[other] = nil }
            post(0x2A05, gone.filter { $0 != nexus })
            if isForAll, keys.isEmpty { (type, holder) = (nil, nil) }
        }
        generation += 1
        return .good
    }

    private mutating func setReservation(_ newType: UInt8, _ nexus: UInt64) {
        type = newType
        holder = newType >= 7 ? nil : nexus
    }

    private mutating func endReservation(_ nexus: UInt64) {
        if isForRegistrants { post(0x2A04, keys.keys.filter { $0 != nexus }) }
        (type, holder) = (nil, nil)
    }
}
