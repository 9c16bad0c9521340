// SPDX-License-Identifier: Apache-2.0

extension [UInt8] {
    mutating func appendBigEndian<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
        var shift = Value.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    /// ASCII data of SPC-4 §4.3.1: graphic characters, left-aligned, filled with spaces.
    mutating func appendASCII(_ text: String, byteCount: Int) {
        let graphic = text.utf8.prefix(byteCount).map { 0x20...0x7E ~= $0 ? $0 : 0x20 }
        self += graphic + [UInt8](repeating: 0x20, count: byteCount - graphic.count)
    }

    mutating func appendZeros(_ count: Int) { self += [UInt8](repeating: 0, count: count) }
}

extension RawSpan {
    /// A big-endian field; the load is bounds-checked, and every bit pattern is a value.
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at byteOffset: Int, as type: Value.Type) -> Value {
        Value(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: byteOffset, as: type))
    }
}
