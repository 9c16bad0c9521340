// SPDX-License-Identifier: Apache-2.0
import Wire

/// Part of `UnitState`'s record: an array of frontends.
extension CommandMemory: Codable {
    package init(from decoder: any Decoder) throws {
        self.init(frontends: try decoder.singleValueContainer().decode([Frontend].self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(frontends)
    }
}

extension CommandMemory.Frontend: Codable {
    private enum CodingKeys: String, CodingKey {
        case instance = "frontend"
        case lowestOpenNumber = "lowestOpen"
        case answers, events
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        instance = try container.decodeInstance(forKey: .instance)
        lowestOpenNumber = try container.decode(UInt64.self, forKey: .lowestOpenNumber)
        answers = RememberedAnswers(
            try container.decodeIfPresent([RememberedAnswers.Entry].self, forKey: .answers) ?? [])
        let taken = try container.decodeIfPresent([CommandMemory.Event].self, forKey: .events) ?? []
        events = taken.suffix(CommandMemory.maximumEventCount)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(instance.description, forKey: .instance)
        try container.encode(lowestOpenNumber, forKey: .lowestOpenNumber)
        if !answers.isEmpty { try container.encode(Array(answers.entries), forKey: .answers) }
        if !events.isEmpty { try container.encode(events, forKey: .events) }
    }
}

extension KeyedDecodingContainer {
    /// In the record as text, whatever the coder does with identifiers elsewhere.
    func decodeInstance(forKey key: Key) throws -> ServiceInstance {
        guard let instance = ServiceInstance(try decode(String.self, forKey: key)) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "no instance's id")
        }
        return instance
    }
}

extension RememberedAnswers.Entry: Codable {
    private enum CodingKeys: String, CodingKey { case number, kind, status, sense, data, aborted }
    private enum Kind: String, Codable { case refused, completed, flushes, aborts, sanitizes }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        number = try container.decode(UInt64.self, forKey: .number)
        let result = try Self.result(in: container)
        answer =
            switch try container.decode(Kind.self, forKey: .kind) {
            case .refused: .refused(result)
            case .completed: .completed(result)
            case .flushes: .flushes(result)
            case .aborts: .abortsTasks(of: try container.decode([NexusID].self, forKey: .aborted), result)
            case .sanitizes: .sanitizes
            }
    }

    private static func result(in container: KeyedDecodingContainer<CodingKeys>) throws -> CommandResult {
        let code = try container.decodeIfPresent(UInt8.self, forKey: .status) ?? SCSIStatus.good.rawValue
        let bytes = try container.decodeIfPresent([UInt8].self, forKey: .sense)
        let sense = bytes.flatMap { Sense(fixed: $0) }
        let data = try container.decodeIfPresent([UInt8].self, forKey: .data) ?? []
        guard let status = SCSIStatus(rawValue: code), (status == .checkCondition) == (sense != nil) else {
            throw DecodingError.dataCorruptedError(
                forKey: .status, in: container, debugDescription: "status and sense contradict each other")
        }
        return CommandResult(status: status, sense: sense, dataIn: data, transferByteCount: data.count)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(number, forKey: .number)
        switch answer {
        case .refused(let result): try encode(.refused, result, in: &container)
        case .completed(let result): try encode(.completed, result, in: &container)
        case .flushes(let result): try encode(.flushes, result, in: &container)
        case .abortsTasks(let nexuses, let result):
            try encode(.aborts, result, in: &container)
            try container.encode(nexuses, forKey: .aborted)
        case .sanitizes: try container.encode(Kind.sanitizes, forKey: .kind)
        }
    }

    private func encode(
        _ kind: Kind, _ result: CommandResult, in container: inout KeyedEncodingContainer<CodingKeys>
    ) throws {
        try container.encode(kind, forKey: .kind)
        if result.status != .good { try container.encode(result.status.rawValue, forKey: .status) }
        try container.encodeIfPresent(result.sense?.encoded(), forKey: .sense)
        if !result.dataIn.isEmpty { try container.encode(result.dataIn, forKey: .data) }
    }
}
