// SPDX-License-Identifier: Apache-2.0

/// The 48 bytes that begin every iSCSI PDU, in network byte order (RFC 7143 §11.2.1).
package typealias HeaderBytes = InlineArray<48, UInt8>

/// Reads or writes the fields of one fixed header. A `layout` that is run with it states each offset once and serves
/// both directions; offsets are constants of the program, so one that does not fit is a programmer error and traps.
package struct HeaderCoder {
    package var bytes: HeaderBytes
    @usableFromInline package let isDecoding: Bool

    /// Fields are set from `bytes`.
    @inlinable package init(decoding bytes: HeaderBytes) {
        self.bytes = bytes
        isDecoding = true
    }

    /// Fields are written over zeros.
    @inlinable package init() {
        bytes = HeaderBytes(repeating: 0)
        isDecoding = false
    }

    @inlinable @inline(__always)
    package mutating func field<Value: FixedWidthInteger & BitwiseCopyable>(_ value: inout Value, at byteOffset: Int) {
        precondition(byteOffset >= 0 && byteOffset + MemoryLayout<Value>.size <= 48)
        if isDecoding {
            // Integers have no invalid bit patterns, and the precondition keeps the load inside the header.
            let raw = unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: byteOffset, as: Value.self)
            value = Value(bigEndian: raw)
        } else {
            var target = bytes.mutableSpan
            var targetBytes = unsafe target.mutableBytes
            targetBytes.storeBytes(of: value.bigEndian, toByteOffset: byteOffset, as: Value.self)
        }
    }

    /// A field of 24 bits, as DataSegmentLength is.
    @inlinable @inline(__always)
    package mutating func field24(_ value: inout UInt32, at byteOffset: Int) {
        var high = UInt8(truncatingIfNeeded: value >> 16)
        var low = UInt16(truncatingIfNeeded: value)
        field(&high, at: byteOffset)
        field(&low, at: byteOffset + 1)
        value = UInt32(high) << 16 | UInt32(low)
    }

    /// A field of 48 bits, as ISID is.
    @inlinable @inline(__always)
    package mutating func field48(_ value: inout UInt64, at byteOffset: Int) {
        var high = UInt32(truncatingIfNeeded: value >> 16)
        var low = UInt16(truncatingIfNeeded: value)
        field(&high, at: byteOffset)
        field(&low, at: byteOffset + 4)
        value = UInt64(high) << 16 | UInt64(low)
    }

    /// One or more bits of a byte that it shares with other fields.
    @inlinable @inline(__always)
    package mutating func flag(_ value: inout Bool, mask: UInt8, at byteOffset: Int) {
        if isDecoding {
            value = bytes[byteOffset] & mask != 0
        } else if value {
            bytes[byteOffset] |= mask
        }
    }
}
