// SPDX-License-Identifier: Apache-2.0

/// Runs the types' synthesized `init(from:)`. One object for a whole message, with one position in its bytes.
///
/// The buffer is valid as long as the decoder is used: `MessageCoder.decode` owns both. Every read is checked against
/// `limit`, which never exceeds the buffer; that is the proof for `@safe`.
@safe final class PositionalDecoder: Decoder {
    private let bytes: UnsafeRawBufferPointer
    fileprivate var position = 0
    /// End of the innermost struct being read.
    fileprivate var limit: Int
    /// Where the struct ends that the value being read has opened; -1 if it opened none.
    private var openEnd = -1
    private var depth = 0

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    var isAtEnd: Bool { unsafe position == bytes.count }

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
        limit = bytes.count
    }

    // MARK: Values

    /// Primitives directly, everything else through its own conformance.
    @inline(__always)
    func decodeValue<Value: Decodable>(_ type: Value.Type) throws -> Value {
        // Each cast is from a type to itself: the line's comparison is the proof.
        if type == UInt64.self { return unsafe unsafeBitCast(try read(UInt64.self), to: type) }
        if type == UInt32.self { return unsafe unsafeBitCast(try read(UInt32.self), to: type) }
        if type == String.self { return unsafe unsafeBitCast(try readText(), to: type) }
        if type == Bool.self { return unsafe unsafeBitCast(try readFlag(), to: type) }
        if type == UInt8.self { return unsafe unsafeBitCast(try read(UInt8.self), to: type) }
        if type == UInt16.self { return unsafe unsafeBitCast(try read(UInt16.self), to: type) }
        if type == Double.self { return unsafe unsafeBitCast(Double(bitPattern: try read()), to: type) }
        if type == Int.self { return unsafe unsafeBitCast(Int(try read(Int64.self)), to: type) }
        if type == [UInt8].self { return unsafe unsafeBitCast(try readBlob(), to: type) }
        return try decodeRarely(type)
    }

    private func decodeRarely<Value: Decodable>(_ type: Value.Type) throws -> Value {
        if type == Int64.self { return unsafe unsafeBitCast(try read(Int64.self), to: type) }
        if type == Int32.self { return unsafe unsafeBitCast(try read(Int32.self), to: type) }
        if type == Int16.self { return unsafe unsafeBitCast(try read(Int16.self), to: type) }
        if type == Int8.self { return unsafe unsafeBitCast(try read(Int8.self), to: type) }
        if type == UInt.self { return unsafe unsafeBitCast(UInt(try read(UInt64.self)), to: type) }
        if type == Float.self { return unsafe unsafeBitCast(Float(bitPattern: try read()), to: type) }
        guard depth < MessageLimits.nestingDepth else { throw MessageError.tooDeep }
        depth += 1
        let outer = (limit: limit, openEnd: openEnd)
        openEnd = -1
        let start = position
        let value = try Value(from: self)
        if openEnd >= 0 {
            // A newer peer's struct may go on after the last field that is known here.
            position = openEnd
        } else if position == start {
            // A struct without fields is synthesized to read nothing, but was written with its count.
            let count = Int(try read(UInt32.self))
            guard count <= limit - position else { throw MessageError.truncated }
            position += count
        }
        (limit, openEnd) = outer
        depth -= 1
        return value
    }

    // MARK: Containers

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard openEnd < 0 else { throw MessageError.unsupportedShape("two containers in one value") }
        let count = Int(try read(UInt32.self))
        guard count <= limit - position else { throw MessageError.truncated }
        limit = position + count
        openEnd = limit
        let entries = keysAreData(type) ? try readEntries() : nil
        return KeyedDecodingContainer(KeyedFields<Key>(decoder: self, end: limit, entries: entries))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try Elements(decoder: self) }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { SingleValue(decoder: self) }

    /// Where the values of a dictionary lie.
    private func readEntries() throws -> [String: Range<Int>] {
        var entries: [String: Range<Int>] = [:]
        while position < limit {
            let key = try readText()
            let count = Int(try read(UInt32.self))
            guard count <= limit - position else { throw MessageError.truncated }
            guard entries.updateValue(position..<(position + count), forKey: key) == nil else {
                throw MessageError.invalidValue("a dictionary: key twice")
            }
            position += count
        }
        return entries
    }

    /// Reads one entry of a dictionary, wherever it lies.
    fileprivate func decodeValue<Value: Decodable>(_ type: Value.Type, in range: Range<Int>) throws -> Value {
        let outer = limit
        (position, limit) = (range.lowerBound, range.upperBound)
        let value = try decodeValue(type)
        guard position == range.upperBound else { throw MessageError.lengthMismatch }
        limit = outer
        return value
    }

    // MARK: Bytes

    @inline(__always)
    fileprivate func read<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws -> Value {
        let size = MemoryLayout<Value>.size
        guard limit - position >= size else { throw MessageError.truncated }
        let value = unsafe bytes.loadUnaligned(fromByteOffset: position, as: Value.self)
        position += size
        return Value(littleEndian: value)
    }

    fileprivate func readFlag() throws -> Bool {
        switch try read(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw MessageError.invalidValue("a flag")
        }
    }

    private func readCounted() throws -> UnsafeRawBufferPointer {
        let count = Int(try read(UInt32.self))
        guard count <= limit - position else { throw MessageError.truncated }
        defer { position += count }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    private func readBlob() throws -> [UInt8] { unsafe [UInt8](try readCounted()) }

    fileprivate func readText() throws -> String {
        guard let text = unsafe String(validating: try readCounted(), as: UTF8.self) else {
            throw MessageError.invalidValue("a text: not UTF-8")
        }
        return text
    }
}

/// The fields of a struct, the name and fields of an enum's case, or the entries of a dictionary. The generic functions
/// also serve for each type that the protocol lists.
private struct KeyedFields<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: PositionalDecoder
    let end: Int
    /// Only dictionaries have them.
    let entries: [String: Range<Int>]?
    var codingPath: [any CodingKey] { [] }

    private var isAtEnd: Bool { decoder.position >= end }

    /// Asked for by dictionaries and by enums with payloads; an enum has one key, the name of its case.
    var allKeys: [Key] {
        if let entries { return entries.keys.compactMap { Key(stringValue: $0) } }
        let start = decoder.position
        defer { decoder.position = start }
        guard let name = try? decoder.readText(), let key = Key(stringValue: name) else { return [] }
        return [key]
    }

    func contains(_ key: Key) -> Bool {
        guard let entries else { return !isAtEnd }
        return entries[key.stringValue] != nil
    }

    func decodeNil(forKey key: Key) throws -> Bool { false }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        if let entries {
            guard let range = entries[key.stringValue] else { throw MessageError.missingField(key.stringValue) }
            return try decoder.decodeValue(type, in: range)
        }
        guard !isAtEnd else { throw MessageError.missingField(key.stringValue) }
        return try decoder.decodeValue(type)
    }

    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        try decodeOptional(type, key)
    }

    // As in the encoder: the protocol's own defaults for these types do not know of the flag.
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { try decodeOptional(type, key) }

    private func decodeOptional<Value: Decodable>(_ type: Value.Type, _ key: Key) throws -> Value? {
        if let range = entries?[key.stringValue] { return try decoder.decodeValue(type, in: range) }
        guard entries == nil, !isAtEnd, try decoder.readFlag() else { return nil }
        return try decoder.decodeValue(type)
    }

    /// The case of an enum, see `allKeys`.
    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        guard try decoder.readText() == key.stringValue else { throw MessageError.invalidValue(key.stringValue) }
        return KeyedDecodingContainer(KeyedFields<NestedKey>(decoder: decoder, end: end, entries: nil))
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        throw MessageError.unsupportedShape("an array without a type of its own")
    }
    func superDecoder() throws -> any Decoder { throw MessageError.unsupportedShape("class inheritance") }
    func superDecoder(forKey key: Key) throws -> any Decoder { try superDecoder() }
}

/// The elements of an array, after their count.
private struct Elements: UnkeyedDecodingContainer {
    private let decoder: PositionalDecoder
    private let total: Int
    private(set) var currentIndex = 0
    var codingPath: [any CodingKey] { [] }
    /// Not told, so that nothing is reserved for elements that have not been seen.
    var count: Int? { nil }
    var isAtEnd: Bool { currentIndex == total }

    init(decoder: PositionalDecoder) throws {
        self.decoder = decoder
        total = Int(try decoder.read(UInt32.self))
        // Every value takes at least a byte, so a count beyond what is left cannot be true.
        guard total <= decoder.limit - decoder.position else { throw MessageError.truncated }
    }

    mutating func decodeNil() throws -> Bool { false }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        guard !isAtEnd else { throw MessageError.missingField("an array's element") }
        let value = try decoder.decodeValue(type)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        throw MessageError.unsupportedShape("array elements without a type of their own")
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw MessageError.unsupportedShape("array elements without a type of their own")
    }
    mutating func superDecoder() throws -> any Decoder { throw MessageError.unsupportedShape("class inheritance") }
}

/// A value that stands for another one: raw values, ids.
private struct SingleValue: SingleValueDecodingContainer {
    let decoder: PositionalDecoder
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { false }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decodeValue(type) }
}
