// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Wire

/// How HEAD, snapshots and local state are stored: JSON, because people read them, with a checksum over all of it,
/// because a damaged or short record must never be believed (docs/formats/head.md).
///
/// The checksum is the field `recordCRC32C`: eight hexadecimal digits, taken over the record's bytes with those
/// digits as zeros. It therefore holds whatever an encoder does about spaces, order or escapes.
package struct RecordFormat: Sendable {
    let name: EngineError.FormatName
    let newestVersion: Int
    let byteLimit: Int

    package init(name: EngineError.FormatName, newestVersion: Int, byteLimit: Int) {
        self.name = name
        self.newestVersion = newestVersion
        self.byteLimit = byteLimit
    }

    private static let label = Array("\"recordCRC32C\" : \"".utf8)
    private static let blank = "00000000"

    /// Adds the checksum's field to the record's own.
    private struct Sealed<Record: Encodable>: Encodable {
        enum Key: String, CodingKey { case recordCRC32C }
        let record: Record
        func encode(to encoder: any Encoder) throws {
            try record.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(blank, forKey: .recordCRC32C)
        }
    }

    /// What is read before anything else: a newer record may have other fields.
    private struct Version: Decodable { let formatVersion: Int }

    package func encode(_ record: some Encodable) throws(EngineError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.userInfo[.identifiersAsText] = true
        var bytes: [UInt8]
        do { bytes = [UInt8](try encoder.encode(Sealed(record: record))) } catch {
            throw .malformed(name, reason: "cannot be encoded: \(error)")
        }
        bytes.append(UInt8(ascii: "\n"))
        guard bytes.count <= byteLimit else { throw .tooLarge(name, byteCount: bytes.count) }
        let digits = try checksumDigits(in: bytes)
        bytes.replaceSubrange(digits, with: hexadecimal(UInt64(CRC32C.checksum(bytes)), digits: 8).utf8)
        return bytes
    }

    package func decode<Record: Decodable>(_: Record.Type = Record.self, from bytes: [UInt8]) throws(EngineError)
        -> Record
    {
        guard bytes.count <= byteLimit else { throw .tooLarge(name, byteCount: bytes.count) }
        let data = Data(bytes)
        let decoder = JSONDecoder()
        decoder.userInfo[.identifiersAsText] = true
        let version: Int
        do { version = try decoder.decode(Version.self, from: data).formatVersion } catch {
            throw .malformed(name, reason: "no JSON object with a formatVersion; cut short or not a record")
        }
        guard version <= newestVersion else { throw .newerFormat(name, version: version) }
        guard version > 0 else { throw .malformed(name, reason: "version \(version)") }
        try verifyChecksum(of: bytes)
        do { return try decoder.decode(Record.self, from: data) } catch {
            throw .malformed(name, reason: "\(error)")
        }
    }

    /// Fields of a record that is damaged or newer, as far as they can be made out; only for finding out whose it is.
    func glean<Fields: Decodable>(_: Fields.Type = Fields.self, from bytes: [UInt8]) -> Fields? {
        let decoder = JSONDecoder()
        decoder.userInfo[.identifiersAsText] = true
        return try? decoder.decode(Fields.self, from: Data(bytes))
    }

    private func verifyChecksum(of bytes: [UInt8]) throws(EngineError) {
        let digits = try checksumDigits(in: bytes)
        guard let text = String(validating: bytes[digits], as: UTF8.self), let stated = UInt32(text, radix: 16),
            text == hexadecimal(UInt64(stated), digits: 8)
        else { throw .malformed(name, reason: "recordCRC32C is not eight hexadecimal digits") }
        var blanked = bytes
        blanked.replaceSubrange(digits, with: Self.blank.utf8)
        try expectChecksum(name, stated, found: CRC32C.checksum(blanked))
    }

    /// Where the eight digits are. Inside a JSON string the quotes would be escaped, so the label is found once.
    private func checksumDigits(in bytes: [UInt8]) throws(EngineError) -> Range<Int> {
        let label = Self.label
        var place = 0
        while place + label.count + 9 <= bytes.count {
            if bytes[place] == label[0], bytes[place..<place + label.count].elementsEqual(label) {
                let start = place + label.count
                guard bytes[start + 8] == UInt8(ascii: "\"") else { break }
                return start..<start + 8
            }
            place += 1
        }
        throw .malformed(name, reason: "no recordCRC32C; not written by this program, or changed by hand")
    }
}
