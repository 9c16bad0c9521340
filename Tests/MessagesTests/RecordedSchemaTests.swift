// SPDX-License-Identifier: Apache-2.0
import Foundation
import Messages
import Testing

/// Messages as an earlier schema wrote them, recorded when it was current and never changed:
/// `Tests/Golden/messages/<version>-recorded.jsonl`, one object a line with the body's bytes and what they meant.
/// Today's types read all of them, and find everything in them that was there.
@Suite struct RecordedSchemaTests {
    private struct Recorded: Codable {
        var kind: UInt16
        var isReply: Bool
        /// Hexadecimal.
        var body: String
        var value: JSONValue

        var bytes: [UInt8] {
            let digits = body.compactMap(\.hexDigitValue)
            return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        }
    }

    private static let versions = ["v1.0", "v1.1"]

    private static func file(_ version: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Golden/messages/\(version)-recorded.jsonl")
    }

    private func recorded(_ version: String) throws -> [Recorded] {
        let text = try String(contentsOf: Self.file(version), encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONDecoder().decode(Recorded.self, from: Data($0.utf8)) }
    }

    private static func meaning(_ kind: MessageKind, _ isReply: Bool, _ bytes: [UInt8]) throws -> JSONValue {
        let value = unsafe try MessageCatalog.decodeBody(kind: kind, isReply: isReply, bytes.span.bytes)
        return try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(AnyMessage(value)))
    }

    @Test(arguments: versions) func everyRecordedMessageIsReadWithAllThatItSaid(_ version: String) throws {
        let messages = try recorded(version)
        #expect(messages.count > 100)
        for message in messages {
            let kind = try #require(MessageKind(rawValue: message.kind), "kind \(message.kind) is gone")
            let read = try Self.meaning(kind, message.isReply, message.bytes)
            #expect(read.holds(message.value), "\(kind), reply \(message.isReply): \(read) of \(message.value)")
        }
    }

    /// As a newer minor version sends them: with a field at the end that nobody here knows.
    @Test func fieldsOfANewerSchemaAreSkipped() throws {
        var samples = SchemaSamples(seed: 1)
        for message in try samples.bodies() {
            let kind = message.kind
            // Requests and replies of I/O have a fixed layout; a new one would be another kind.
            guard kind != .io else { continue }
            var bytes = message.bytes
            let count = bytes[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
            #expect(count == bytes.count - 4, "\(kind) is not one struct")
            let addition: [UInt8] = [3, 0, 0, 0] + Array("new".utf8) + [1]
            for index in 0..<4 { bytes[index] = UInt8((count + addition.count) >> (8 * index) & 0xff) }
            let value = try Self.meaning(kind, message.isReply, message.bytes)
            #expect(try Self.meaning(kind, message.isReply, bytes + addition) == value, "\(kind)")
        }
    }

    @Test func everyKindIsRecorded() throws {
        let kinds = Set(try recorded(try #require(Self.versions.last)).map(\.kind))
        let missing = MessageKind.allCases.filter { !kinds.contains($0.rawValue) }
        // A kind that is added later is recorded with the minor version that brings it.
        #expect(missing.isEmpty, "record this schema: \(missing)")
    }

    /// Writes today's messages, to be kept when the minor version goes up: name the file in the variable.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["SLUICE_RECORD_MESSAGES"] != nil))
    func recordsTheSchemaOfToday() throws {
        let path = try #require(ProcessInfo.processInfo.environment["SLUICE_RECORD_MESSAGES"])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lines: [String] = []
        for seed in UInt64(0)..<2 {
            var samples = SchemaSamples(seed: seed)
            for sample in try samples.bodies() {
                let body = sample.bytes.map { String($0, radix: 16) }.map { $0.count < 2 ? "0" + $0 : $0 }.joined()
                let recorded = Recorded(
                    kind: sample.kind.rawValue, isReply: sample.isReply, body: body,
                    value: try Self.meaning(sample.kind, sample.isReply, sample.bytes))
                lines.append(String(decoding: try encoder.encode(recorded), as: UTF8.self) + "\n")
            }
        }
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
    }
}

/// JSON without its types, to compare.
private enum JSONValue: Codable, Equatable {
    case null
    case boolean(Bool)
    case integer(UInt64)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let values): try container.encode(values)
        case .object(let values): try container.encode(values)
        }
    }

    /// Everything that `other` says, and perhaps fields that it does not know.
    func holds(_ other: JSONValue) -> Bool {
        switch (self, other) {
        case (.list(let mine), .list(let theirs)):
            mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.holds($1) }
        case (.object(let mine), .object(let theirs)):
            theirs.allSatisfy { key, value in mine[key]?.holds(value) ?? false }
        default: self == other
        }
    }
}
