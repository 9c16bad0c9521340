// SPDX-License-Identifier: Apache-2.0

/// Part of `UnitState`'s record. What cannot be, such as a holder that is not registered, is refused: half a
/// reservation would let in whom it shuts out.
extension PersistentReservations: Codable {
    private enum CodingKeys: String, CodingKey {
        case generation, registrants, type, holder
        case isKeptOverPowerLoss = "aptpl"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        generation = try container.decodeIfPresent(UInt32.self, forKey: .generation) ?? 0
        registrants = try container.decodeIfPresent([Registrant].self, forKey: .registrants) ?? []
        collectRegisteredNexuses()
        isKeptOverPowerLoss = try container.decodeIfPresent(Bool.self, forKey: .isKeptOverPowerLoss) ?? false
        let kind = try container.decodeIfPresent(Kind.self, forKey: .type)
        let holder = try container.decodeIfPresent(NexusID.self, forKey: .holder)
        reservation = kind.map { Reservation(kind: $0, holder: holder) }
        guard isConsistent else {
            throw DecodingError.dataCorruptedError(
                forKey: .registrants, in: container, debugDescription: "registrants and holder contradict each other")
        }
    }

    private var isConsistent: Bool {
        guard registrants.count <= Self.maximumRegistrantCount,
            Set(registrants.map(\.nexus)).count == registrants.count,
            registrants.allSatisfy({ $0.key != .none })
        else { return false }
        guard let reservation else { return true }
        if reservation.kind.isHeldByAll { return reservation.holder == nil && !registrants.isEmpty }
        return reservation.holder.map { key(of: $0) != nil } ?? false
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(generation, forKey: .generation)
        if !registrants.isEmpty { try container.encode(registrants, forKey: .registrants) }
        if isKeptOverPowerLoss { try container.encode(true, forKey: .isKeptOverPowerLoss) }
        try container.encodeIfPresent(reservation?.kind, forKey: .type)
        try container.encodeIfPresent(reservation?.holder, forKey: .holder)
    }
}

extension PersistentReservations.Registrant: Codable {
    private enum CodingKeys: String, CodingKey {
        case nexus, key, port
        case isForAllTargetPorts = "allPorts"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        nexus = try container.decode(NexusID.self, forKey: .nexus)
        key = try container.decode(ReservationKey.self, forKey: .key)
        port = NexusTable.checked(try container.decodeIfPresent(String.self, forKey: .port) ?? "")
        isForAllTargetPorts = try container.decodeIfPresent(Bool.self, forKey: .isForAllTargetPorts) ?? false
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(nexus, forKey: .nexus)
        try container.encode(key, forKey: .key)
        if !port.isEmpty { try container.encode(port, forKey: .port) }
        if isForAllTargetPorts { try container.encode(true, forKey: .isForAllTargetPorts) }
    }
}
