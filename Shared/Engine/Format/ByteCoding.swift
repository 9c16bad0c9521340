// SPDX-License-Identifier: Apache-2.0
import Wire

/// Reads little-endian fields in order; every read is checked against the end, so that short bytes are an error of
/// their format and never a trap.
struct ByteReader {
    private let bytes: [UInt8]
    private let format: EngineError.FormatName
    private(set) var offset: Int
    private let end: Int

    init(_ bytes: [UInt8], from start: Int = 0, upTo end: Int? = nil, format: EngineError.FormatName) {
        self.bytes = bytes
        self.format = format
        offset = start
        self.end = end ?? bytes.count
        precondition(start >= 0 && start <= self.end && self.end <= bytes.count)
    }

    var remaining: Int { end - offset }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(EngineError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw .malformed(format, reason: "ends inside a field") }
        let value = unsafe bytes.withUnsafeBytes {
            unsafe $0.loadUnaligned(fromByteOffset: offset, as: Value.self)
        }
        offset += size
        return Value(littleEndian: value)
    }

    mutating func bytes(_ count: Int) throws(EngineError) -> ArraySlice<UInt8> {
        guard count >= 0, remaining >= count else { throw .malformed(format, reason: "ends inside a field") }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    mutating func integers<Value: FixedWidthInteger>(
        _ count: Int, _: Value.Type = Value.self
    ) throws(EngineError) -> [Value] {
        guard count >= 0, remaining / MemoryLayout<Value>.size >= count else {
            throw .malformed(format, reason: "ends inside a list")
        }
        var values: [Value] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try integer()) }
        return values
    }

    /// A magic number and a version, which begin every format. A newer version is told apart from damage.
    mutating func expect(magic: UInt32) throws(EngineError) {
        guard try integer(UInt32.self) == magic else { throw .malformed(format, reason: "wrong magic number") }
    }

    mutating func expect(version: UInt16) throws(EngineError) {
        try check(version: Int(try integer(UInt16.self)), newest: Int(version))
    }

    mutating func expect(version: UInt8) throws(EngineError) {
        try check(version: Int(try integer(UInt8.self)), newest: Int(version))
    }

    private func check(version: Int, newest: Int) throws(EngineError) {
        if version > newest { throw .newerFormat(format, version: version) }
        if version == 0 { throw .malformed(format, reason: "version 0") }
    }

    mutating func expectZeros(_ count: Int) throws(EngineError) {
        guard try bytes(count).allSatisfy({ $0 == 0 }) else {
            throw .malformed(format, reason: "reserved bytes are set")
        }
    }

    func expectEnd() throws(EngineError) {
        guard remaining == 0 else { throw .malformed(format, reason: "\(remaining) bytes too many") }
    }

    mutating func packName() throws(EngineError) -> PackName {
        PackName(generation: try integer(), start: try integer(), number: try integer())
    }
}

extension [UInt8] {
    mutating func append<Value: FixedWidthInteger>(integer value: Value) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }

    mutating func append(zeros count: Int) {
        append(contentsOf: repeatElement(0, count: count))
    }

    mutating func append(name: PackName) {
        append(integer: name.generation)
        append(integer: name.start)
        append(integer: name.number)
    }

    /// The bytes of `magic` spell its four letters in this order.
    static func magic(_ text: StaticString) -> UInt32 {
        precondition(text.utf8CodeUnitCount == 4)
        return unsafe UInt32(
            littleEndian: UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt32.self))
    }
}

extension CRC32C {
    static func checksum(_ bytes: [UInt8], in range: Range<Int>, continuing crc: UInt32 = 0) -> UInt32 {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return unsafe bytes.withUnsafeBytes {
            unsafe checksum(UnsafeRawBufferPointer(rebasing: $0[range]), continuing: crc)
        }
    }
}

/// Throws unless the checksums are equal.
func expectChecksum(
    _ format: EngineError.FormatName, _ expected: UInt32, found: UInt32
) throws(EngineError) {
    guard expected == found else { throw .checksumMismatch(format, expected: expected, found: found) }
}
