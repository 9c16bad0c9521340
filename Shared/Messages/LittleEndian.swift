// SPDX-License-Identifier: Apache-2.0

extension RawSpan {
    /// The caller has checked that the bytes are there; the span checks again.
    @inline(__always)
    func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type, at byteOffset: Int) -> Value {
        // Every bit pattern is a value of a fixed-width integer.
        Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: byteOffset, as: Value.self))
    }
}

extension MutableRawSpan {
    @inline(__always)
    mutating func setLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at byteOffset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: byteOffset, as: Value.self)
    }
}
