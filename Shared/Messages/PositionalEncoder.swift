// SPDX-License-Identifier: Apache-2.0

/// Runs the types' synthesized `encode(to:)`. One object for a whole message: containers append to its bytes.
final class PositionalEncoder: Encoder {
    private(set) var bytes: [UInt8] = []
    /// Found where the protocol does not let a function throw; reported at the end.
    private(set) var failure: MessageError?
    /// Where the value being encoded left room for its byte count; -1 if it is not a struct.
    private var openLength = -1
    private var depth = 0

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init() { bytes.reserveCapacity(256) }

    // MARK: Values

    /// Primitives directly, everything else through its own conformance.
    @inline(__always)
    func encodeValue<Value: Encodable>(_ value: Value) throws {
        if Value.self == UInt64.self, let value = value as? UInt64 { return append(value) }
        if Value.self == String.self, let value = value as? String { return append(text: value) }
        if Value.self == UInt32.self, let value = value as? UInt32 { return append(value) }
        if Value.self == Bool.self, let value = value as? Bool { return append(UInt8(value ? 1 : 0)) }
        if Value.self == UInt8.self, let value = value as? UInt8 { return append(value) }
        if Value.self == UInt16.self, let value = value as? UInt16 { return append(value) }
        if Value.self == Double.self, let value = value as? Double { return append(value.bitPattern) }
        if Value.self == Int.self, let value = value as? Int { return append(Int64(value)) }
        if Value.self == [UInt8].self, let value = value as? [UInt8] { return append(blob: value) }
        try encodeRarely(value)
    }

    private func encodeRarely<Value: Encodable>(_ value: Value) throws {
        switch value {
        case let value as Int64: append(value)
        case let value as Int32: append(value)
        case let value as Int16: append(value)
        case let value as Int8: append(value)
        case let value as UInt: append(UInt64(value))
        case let value as Float: append(value.bitPattern)
        default: try encodeConforming(value)
        }
    }

    private func encodeConforming<Value: Encodable>(_ value: Value) throws {
        guard depth < MessageLimits.nestingDepth else { throw MessageError.tooDeep }
        depth += 1
        let outer = openLength
        openLength = -1
        if Value.self == [String: String].self, let value = value as? [String: String] {
            try encodeSorted(value)
        } else {
            try value.encode(to: self)
        }
        if openLength >= 0 { setCount(bytes.count - openLength - 4, at: openLength) }
        openLength = outer
        depth -= 1
    }

    /// In the order of the keys, so that equal values have equal bytes.
    private func encodeSorted(_ labels: [String: String]) throws {
        openLength = reserveCount()
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) { try encodeField(named: key, value) }
    }

    func encodeField<Value: Encodable>(named name: String, _ value: Value) throws {
        append(text: name)
        let length = reserveCount()
        try encodeValue(value)
        setCount(bytes.count - length - 4, at: length)
    }

    // MARK: Containers

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if openLength >= 0 { fail("two containers in one value") }
        openLength = reserveCount()
        return KeyedEncodingContainer(KeyedFields<Key>(encoder: self, isDictionary: keysAreData(type)))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer { Elements(encoder: self) }
    func singleValueContainer() -> any SingleValueEncodingContainer { SingleValue(encoder: self) }

    func fail(_ reason: String) { if failure == nil { failure = .unsupportedShape(reason) } }

    // MARK: Bytes

    @inline(__always)
    func append<Value: FixedWidthInteger>(_ value: Value) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    func append(text: String) {
        append(UInt32(truncatingIfNeeded: text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    private func append(blob: [UInt8]) {
        append(UInt32(truncatingIfNeeded: blob.count))
        bytes.append(contentsOf: blob)
    }

    func reserveCount() -> Int {
        append(UInt32(0))
        return bytes.count - 4
    }

    /// Counts beyond 32 bits cannot be: the whole message is refused at `MessageLimits.bodyByteCount`.
    func setCount(_ count: Int, at offset: Int) {
        var rest = UInt32(truncatingIfNeeded: count)
        for index in offset..<(offset + 4) {
            bytes[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }
}

/// The fields of a struct, the name and fields of an enum's case, or the entries of a dictionary. The generic functions
/// also serve for each type that the protocol lists.
private struct KeyedFields<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: PositionalEncoder
    let isDictionary: Bool
    var codingPath: [any CodingKey] { [] }

    mutating func encodeNil(forKey key: Key) throws {
        throw MessageError.unsupportedShape("nil for \(key.stringValue), which is not an optional field")
    }

    mutating func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        guard isDictionary else { return try encoder.encodeValue(value) }
        try encoder.encodeField(named: key.stringValue, value)
    }

    mutating func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
        try encodeOptional(value)
    }

    private func encodeOptional<Value: Encodable>(_ value: Value?) throws {
        guard !isDictionary else { throw MessageError.unsupportedShape("optional values in a dictionary") }
        encoder.append(UInt8(value == nil ? 0 : 1))
        if let value { try encoder.encodeValue(value) }
    }

    // The protocol has a default for each of these that leaves nil out. Which one serves as the witness, the default or
    // the generic function above, is the compiler's choice; a function of the very type leaves it none.
    mutating func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOptional(value) }
    mutating func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOptional(value) }

    /// The case of an enum. Its fields end where the enum's do, so they need no byte count of their own.
    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        encoder.append(text: key.stringValue)
        return KeyedEncodingContainer(KeyedFields<NestedKey>(encoder: encoder, isDictionary: false))
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder.fail("an array without a type of its own")
        return Elements(encoder: encoder)
    }

    mutating func superEncoder() -> any Encoder {
        encoder.fail("class inheritance")
        return encoder
    }
    mutating func superEncoder(forKey key: Key) -> any Encoder { superEncoder() }
}

/// The elements of an array, after their count.
private struct Elements: UnkeyedEncodingContainer {
    private let encoder: PositionalEncoder
    private let countOffset: Int
    private(set) var count = 0
    var codingPath: [any CodingKey] { [] }

    init(encoder: PositionalEncoder) {
        self.encoder = encoder
        countOffset = encoder.reserveCount()
    }

    mutating func encodeNil() throws { throw MessageError.unsupportedShape("nil in an array") }

    mutating func encode<Value: Encodable>(_ value: Value) throws {
        try encoder.encodeValue(value)
        count += 1
        encoder.setCount(count, at: countOffset)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        encoder.fail("array elements without a type of their own")
        return KeyedEncodingContainer(KeyedFields<NestedKey>(encoder: encoder, isDictionary: false))
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        encoder.fail("array elements without a type of their own")
        return Elements(encoder: encoder)
    }

    mutating func superEncoder() -> any Encoder {
        encoder.fail("class inheritance")
        return encoder
    }
}

/// A value that stands for another one: raw values, ids.
private struct SingleValue: SingleValueEncodingContainer {
    let encoder: PositionalEncoder
    var codingPath: [any CodingKey] { [] }

    mutating func encodeNil() throws { throw MessageError.unsupportedShape("nil outside a struct's field") }
    mutating func encode<Value: Encodable>(_ value: Value) throws { try encoder.encodeValue(value) }
}
