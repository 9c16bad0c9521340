// SPDX-License-Identifier: Apache-2.0
import Wire

/// The record of a unit's state. Keys are stable, and what is at rest is left out: a reader takes a missing key for
/// that. A key that a reader must know to be right needs a new version.
///
/// | key | value |
/// | --- | --- |
/// | version | 1; others are refused |
/// | powerOn | the run of the machine |
/// | nexuses | `id`, `frontend`, `port`, `access`; `attentions` codes oldest first, `prevents`, `copies` |
/// | lost | ids, oldest first |
/// | reservedBy | nexus of RESERVE |
/// | persistent | `generation`, `registrants` of `nexus`, `key`, `port`, `allPorts`; `type`, `holder`, `aptpl` |
/// | writeProtected, sanitizing, ejected | |
/// | told | of the unit: `sectors`, `readOnly`, `writeCache`, `inquiry` digest |
/// | writeCacheReaders | ids; missing: the write cache was never off |
/// | coldResets | how many there were |
/// | answered | `frontend`, `lowestOpen`, `answers` of `number`, `kind`, `status`, `sense`, `data`, `aborted`; |
/// | | `events` of `nexus`, `number` |
extension UnitState: Codable {
    private enum CodingKeys: String, CodingKey {
        case version, nexuses, lost, answered, sanitizing, ejected, told, writeCacheReaders
        case powerOnID = "powerOn"
        case reservingNexus = "reservedBy"
        case persistentReservations = "persistent"
        case isSoftwareWriteProtected = "writeProtected"
        case coldResetCount = "coldResets"
    }

    private struct NexusRecord: Codable {
        enum CodingKeys: String, CodingKey { case id, frontend, port, access, attentions, prevents, copies }
        var id: NexusID
        var frontend: String
        var port: String?
        var access: String?
        var attentions: [UInt16]?
        var prevents: Bool?
        var copies: CopyResults?
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let version = try container.decode(Int.self, forKey: .version)
        guard version == Self.version else {
            throw DecodingError.dataCorruptedError(
                forKey: .version, in: container, debugDescription: "version \(version) of a unit's state")
        }
        self.init(powerOnID: try container.decode(String.self, forKey: .powerOnID))
        var attached: [NexusID: NexusTable.Nexus] = [:]
        for record in try container.decodeIfPresent([NexusRecord].self, forKey: .nexuses) ?? [] {
            guard let frontend = ServiceInstance(record.frontend) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .nexuses, in: container, debugDescription: "\(record.frontend) is no instance's id")
            }
            attached[record.id] = NexusTable.Nexus(
                port: record.port ?? "", access: record.access, frontend: frontend,
                attentions: UnitAttentionQueue(codes: record.attentions ?? []),
                preventsRemoval: record.prevents ?? false, copies: record.copies ?? CopyResults())
        }
        let lost = try container.decodeIfPresent([NexusID].self, forKey: .lost) ?? []
        nexuses = NexusTable(attached: attached, lost: lost)
        reservingNexus = try container.decodeIfPresent(NexusID.self, forKey: .reservingNexus)
        persistentReservations =
            try container.decodeIfPresent(PersistentReservations.self, forKey: .persistentReservations)
            ?? PersistentReservations()
        isSoftwareWriteProtected = try container.decodeIfPresent(Bool.self, forKey: .isSoftwareWriteProtected) ?? false
        isSanitizing = try container.decodeIfPresent(Bool.self, forKey: .sanitizing) ?? false
        isEjected = try container.decodeIfPresent(Bool.self, forKey: .ejected) ?? false
        answered = try container.decodeIfPresent(CommandMemory.self, forKey: .answered) ?? CommandMemory()
        told = try container.decodeIfPresent(ToldUnit.self, forKey: .told)
        writeCacheReaders = try container.decodeIfPresent(Set<NexusID>.self, forKey: .writeCacheReaders)
        coldResetCount = try container.decodeIfPresent(UInt64.self, forKey: .coldResetCount) ?? 0
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.version, forKey: .version)
        try container.encode(powerOnID, forKey: .powerOnID)
        let records = nexuses.attached.sorted { $0.key < $1.key }.map { id, nexus in
            NexusRecord(
                id: id, frontend: nexus.frontend.description, port: nexus.port.isEmpty ? nil : nexus.port,
                access: nexus.access,
                attentions: nexus.attentions.isEmpty ? nil : nexus.attentions.codes,
                prevents: nexus.preventsRemoval ? true : nil,
                copies: nexus.copies.entries.isEmpty ? nil : nexus.copies)
        }
        if !records.isEmpty { try container.encode(records, forKey: .nexuses) }
        if !nexuses.lost.isEmpty { try container.encode(nexuses.lost, forKey: .lost) }
        try container.encodeIfPresent(reservingNexus, forKey: .reservingNexus)
        if persistentReservations != PersistentReservations() {
            try container.encode(persistentReservations, forKey: .persistentReservations)
        }
        if isSoftwareWriteProtected { try container.encode(true, forKey: .isSoftwareWriteProtected) }
        if isSanitizing { try container.encode(true, forKey: .sanitizing) }
        if isEjected { try container.encode(true, forKey: .ejected) }
        if !answered.frontends.isEmpty { try container.encode(answered, forKey: .answered) }
        try container.encodeIfPresent(told, forKey: .told)
        try container.encodeIfPresent(writeCacheReaders?.sorted(), forKey: .writeCacheReaders)
        if coldResetCount > 0 { try container.encode(coldResetCount, forKey: .coldResetCount) }
    }
}

extension UnitAttentionQueue: Equatable {
    init(codes: [UInt16]) {
        self.init()
        _ = takeFirst()
        for code in codes { post(UnitAttention(rawValue: code)) }
    }

    /// Oldest first.
    var codes: [UInt16] {
        var rest = self
        var codes: [UInt16] = []
        while let attention = rest.takeFirst() { codes.append(attention.rawValue) }
        return codes
    }

    package static func == (left: Self, right: Self) -> Bool { left.codes == right.codes }
}

extension CopyResults: Codable {
    package init(from decoder: any Decoder) throws {
        let entries = try decoder.singleValueContainer().decode([Entry].self)
        for entry in entries { record(entry) }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(entries)
    }
}

extension CopyResults.Entry: Codable {
    private enum CodingKeys: String, CodingKey {
        case listID = "list"
        case hasFailed = "failed"
        case segmentCount = "segments"
        case byteCount = "bytes"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        listID = try container.decode(UInt8.self, forKey: .listID)
        hasFailed = try container.decodeIfPresent(Bool.self, forKey: .hasFailed) ?? false
        segmentCount = try container.decode(UInt16.self, forKey: .segmentCount)
        byteCount = try container.decode(UInt32.self, forKey: .byteCount)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(listID, forKey: .listID)
        if hasFailed { try container.encode(true, forKey: .hasFailed) }
        try container.encode(segmentCount, forKey: .segmentCount)
        try container.encode(byteCount, forKey: .byteCount)
    }
}
