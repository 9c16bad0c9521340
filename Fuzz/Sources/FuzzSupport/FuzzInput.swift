// SPDX-License-Identifier: Apache-2.0

/// Takes an input apart from its front. At its end everything is 0, so that each input means something and a shorter
/// one means nearly the same.
package struct FuzzInput {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { position >= bytes.count }
    package var remaining: Int { bytes.count - position }

    package mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func flag() -> Bool { byte() & 1 == 1 }

    /// 0 ..< count.
    package mutating func choice(_ count: Int) -> Int { Int(byte()) % count }

    package mutating func pick<Value>(_ values: [Value]) -> Value { values[choice(values.count)] }

    package mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for _ in 0..<Value.bitWidth / 8 { value = value << 8 | Value(truncatingIfNeeded: byte()) }
        return value
    }

    /// A number that is often near one of the ends of its range.
    package mutating func edgy<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type = Value.self) -> Value {
        switch choice(5) {
        case 0: Value(truncatingIfNeeded: byte())
        case 1: Value.max - Value(truncatingIfNeeded: byte())
        case 2: (1 as Value) << (Value(truncatingIfNeeded: byte()) % Value(Value.bitWidth))
        case 3: Value(truncatingIfNeeded: integer(UInt16.self))
        default: integer()
        }
    }

    /// At most `count`, fewer at the end.
    package mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + max(0, count))
        defer { position = end }
        return Array(bytes[position..<end])
    }

    package mutating func rest() -> [UInt8] { take(remaining) }
}
