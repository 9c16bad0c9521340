// SPDX-License-Identifier: Apache-2.0
import Wire

/// Position of a record in a volume's journal. Rises by one per record and jumps ahead at each start.
package struct JournalSequence: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    package static let zero = Self(0)
}

/// A journal segment file of one volume; never used twice, not even when the file is recycled.
package struct SegmentID: RawRepresentable, Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    package var description: String { hexadecimal(UInt64(rawValue), digits: 8) }
}

/// Who owns the volume, counted: each take-over raises it by one.
package struct Generation: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// `<generation>-<start>-<packno>`, each in fixed-width hexadecimal (STORAGE §2). A name is never used twice:
/// `start` is raised durably before the first upload of each run, and every attempt takes the next number.
package struct PackName: Hashable, Comparable, Codable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    package var generation: UInt32
    package var start: UInt32
    package var number: UInt32
    package init(generation: UInt32, start: UInt32, number: UInt32) {
        self.generation = generation
        self.start = start
        self.number = number
    }
    package static func < (left: Self, right: Self) -> Bool {
        (left.generation, left.start, left.number) < (right.generation, right.start, right.number)
    }
    package var description: String {
        [generation, start, number].map { hexadecimal(UInt64($0), digits: 8) }.joined(separator: "-")
    }
    package init?(_ description: String) {
        let parts = description.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ $0.utf8.count == 8 }),
            let generation = UInt32(parts[0], radix: 16), let start = UInt32(parts[1], radix: 16),
            let number = UInt32(parts[2], radix: 16)
        else { return nil }
        self.init(generation: generation, start: start, number: number)
    }
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let name = PackName(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "pack name \(text)"))
        }
        self = name
    }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// 128 random bits that tell one commit (one state of HEAD) from every other; text form 32 hexadecimal digits.
package struct CommitID: Hashable, Codable, Sendable, CustomStringConvertible {
    package var high: UInt64
    package var low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    package var description: String { hexadecimal(high, digits: 16) + hexadecimal(low, digits: 16) }
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "commit \(text)"))
        }
        self.init(high: high, low: low)
    }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
