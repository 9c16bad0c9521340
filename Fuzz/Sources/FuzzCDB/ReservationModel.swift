// SPDX-License-Identifier: Apache-2.0

/// Persistent reservations once more, in the plainest words (SPC-4 §5.13 and its table 65): who is registered, who
/// holds what, and who may write.
struct ReservationModel: Equatable {
    enum Answer: Equatable { case good, conflict, error }

    struct Command {
        var serviceAction: UInt8
        var scope: UInt8
        var type: UInt8
        var key: UInt64
        var serviceActionKey: UInt64
        var isKept: Bool
        /// By TransportIDs.
        var named: [UInt64]?
        var unregisters = false
    }

    /// In the order of registration.
    var registrants: [(nexus: UInt64, key: UInt64)] = []
    var type: UInt8?
    var holder: UInt64?
    var isKept = false
    var generation: UInt32 = 0

    static func == (left: Self, right: Self) -> Bool {
        left.type == right.type && left.holder == right.holder && left.isKept == right.isKept
            && left.generation == right.generation && left.registrants.count == right.registrants.count
            && zip(left.registrants, right.registrants).allSatisfy { $0 == $1 }
    }

    private static let types: Set<UInt8> = [1, 3, 5, 6, 7, 8]

    func key(of nexus: UInt64) -> UInt64? { registrants.first { $0.nexus == nexus }?.key }
    private var isHeldByAll: Bool { type.map { $0 >= 7 } ?? false }
    private func holds(_ nexus: UInt64) -> Bool {
        guard type != nil else { return false }
        return isHeldByAll ? key(of: nexus) != nil : holder == nexus
    }

    func mayWrite(_ nexus: UInt64) -> Bool {
        guard let type else { return true }
        return type >= 5 ? key(of: nexus) != nil : holder == nexus
    }

    func mayRead(_ nexus: UInt64) -> Bool {
        guard let type else { return true }
        return type == 1 || type == 5 || type == 7 || mayWrite(nexus)
    }

    mutating func powerOn() {
        if !isKept { self = ReservationModel() }
        generation = 0
    }

    mutating func clear() {
        let generation = generation
        let isKept = isKept
        self = ReservationModel()
        self.generation = generation &+ 1
        self.isKept = isKept
    }

    mutating func apply(_ command: Command, by nexus: UInt64) -> Answer {
        switch command.serviceAction {
        case 0, 6: return register(command, nexus)
        case 1...5, 7: break
        default: return .error
        }
        guard let own = key(of: nexus), own == command.key else { return .conflict }
        switch command.serviceAction {
        case 1: return reserve(command, nexus)
        case 2: return release(command, nexus)
        case 3:
            clear()
            return .good
        case 7: return move(command, nexus)
        default: return preempt(command, nexus)
        }
    }

    private mutating func register(_ command: Command, _ nexus: UInt64) -> Answer {
        if command.serviceAction == 0, command.key != key(of: nexus) ?? 0 { return .conflict }
        let position = registrants.firstIndex { $0.nexus == nexus }
        if command.named != nil, position != nil || command.serviceActionKey == 0 { return .error }
        if let position, command.serviceActionKey != 0 {
            registrants[position].key = command.serviceActionKey
        } else if let position {
            registrants.remove(at: position)
            if isHeldByAll ? registrants.isEmpty : holder == nexus { endReservation() }
        } else if command.serviceActionKey != 0 {
            registrants.append((nexus, command.serviceActionKey))
            for other in command.named ?? [] where key(of: other) == nil {
                registrants.append((other, command.serviceActionKey))
            }
        } else {
            return .good
        }
        isKept = command.isKept
        generation &+= 1
        return .good
    }

    private mutating func move(_ command: Command, _ nexus: UInt64) -> Answer {
        guard type != nil, !isHeldByAll, holder == nexus else { return .conflict }
        guard command.serviceActionKey != 0, let next = command.named?.first, next != nexus else { return .error }
        if let position = registrants.firstIndex(where: { $0.nexus == next }) {
            registrants[position].key = command.serviceActionKey
        } else {
            registrants.append((next, command.serviceActionKey))
        }
        if command.unregisters { registrants.removeAll { $0.nexus == nexus } }
        holder = next
        isKept = command.isKept
        generation &+= 1
        return .good
    }

    private mutating func endReservation() {
        type = nil
        holder = nil
    }

    private mutating func reserve(_ command: Command, _ nexus: UInt64) -> Answer {
        guard command.scope == 0, Self.types.contains(command.type) else { return .error }
        if type != nil { return holds(nexus) && type == command.type ? .good : .conflict }
        type = command.type
        holder = command.type >= 7 ? nil : nexus
        return .good
    }

    private mutating func release(_ command: Command, _ nexus: UInt64) -> Answer {
        guard holds(nexus) else { return .good }
        guard command.scope == 0, command.type == type else { return .error }
        endReservation()
        return .good
    }

    private mutating func preempt(_ command: Command, _ nexus: UInt64) -> Answer {
        let victim = command.serviceActionKey
        let namesHolder = isHeldByAll ? victim == 0 : holder.flatMap(key) == victim
        if type != nil, namesHolder {
            guard command.scope == 0, Self.types.contains(command.type) else { return .error }
            let all = isHeldByAll
            registrants.removeAll { $0.nexus != nexus && (all || $0.key == victim) }
            type = command.type
            holder = command.type >= 7 ? nil : nexus
        } else {
            guard victim != 0 else { return .error }
            guard registrants.contains(where: { $0.key == victim }) else { return .conflict }
            registrants.removeAll { $0.key == victim }
            if isHeldByAll, registrants.isEmpty { endReservation() }
        }
        generation &+= 1
        return .good
    }
}
