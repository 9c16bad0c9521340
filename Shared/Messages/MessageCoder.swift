// SPDX-License-Identifier: Apache-2.0

/// The compact positional encoding of the schema's Codable types; docs/formats/bus.md has the table.
///
/// Fields follow each other in the order of declaration, without names; integers are little-endian at their own width
/// (`Int` and `UInt` are 8 bytes), floating point is its bit pattern. Strings, arrays and `[UInt8]` begin with a 4-byte
/// count. An optional field is one byte, 0 or 1, and then its value. A struct begins with the byte count of its fields:
/// a reader skips trailing fields that it does not know and takes trailing optionals that are missing as nil. An enum
/// with payloads is a struct that begins with the case's name; its payload fields follow. A dictionary with string
/// keys is a struct of (key, byte count, value).
///
/// Only what the compiler synthesizes and single-value types are supported; anything else throws `unsupportedShape`.
package enum MessageCoder {
    package static func encode<Value: Encodable>(_ value: Value) throws(MessageError) -> [UInt8] {
        let encoder = PositionalEncoder()
        do {
            try encoder.encodeValue(value)
        } catch {
            throw messageError(error)
        }
        if let failure = encoder.failure { throw failure }
        guard encoder.bytes.count <= MessageLimits.bodyByteCount else {
            throw .tooLarge(byteCount: encoder.bytes.count, limit: MessageLimits.bodyByteCount)
        }
        return encoder.bytes
    }

    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8]
    ) throws(MessageError) -> Value {
        unsafe try decode(type, from: bytes.span.bytes)
    }

    /// Never traps, whatever the bytes; needs memory in proportion to them.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: RawSpan
    ) throws(MessageError) -> Value {
        guard bytes.byteCount <= MessageLimits.bodyByteCount else {
            throw .tooLarge(byteCount: bytes.byteCount, limit: MessageLimits.bodyByteCount)
        }
        let result: Result<Value, any Error> = unsafe bytes.withUnsafeBytes { buffer in
            // The decoder does not outlive this closure: no schema type keeps the `Decoder` it is made from.
            let decoder = unsafe PositionalDecoder(buffer)
            return Result {
                let value = try decoder.decodeValue(type)
                guard decoder.isAtEnd else { throw MessageError.lengthMismatch }
                return value
            }
        }
        do {
            return try result.get()
        } catch {
            throw messageError(error)
        }
    }

    private static func messageError(_ error: any Error) -> MessageError {
        switch error {
        case let error as MessageError: error
        case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context):
            .invalidValue(context.debugDescription)
        case EncodingError.invalidValue(_, let context): .unsupportedShape(context.debugDescription)
        default: .invalidValue(String(describing: error))
        }
    }
}

/// Dictionaries encode themselves as keyed containers whose keys are data, not declared: their key type takes any text.
@inline(__always)
func keysAreData<Key: CodingKey>(_ type: Key.Type) -> Bool { Key(stringValue: "\u{1}") != nil }
