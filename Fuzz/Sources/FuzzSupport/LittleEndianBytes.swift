// SPDX-License-Identifier: Apache-2.0
import Wire

/// Sets fields of a format's bytes, above all checksums: an input that fails at the first checksum tests little else.
extension [UInt8] {
    package func littleEndian(_ byteOffset: Int) -> UInt32? {
        guard byteOffset >= 0, byteOffset + 4 <= count else { return nil }
        return (0..<4).reduce(0) { $0 | UInt32(self[byteOffset + $1]) << UInt32(8 * $1) }
    }

    /// Nothing happens outside of the bytes.
    package mutating func setLittleEndian<Value: FixedWidthInteger>(_ value: Value, at byteOffset: Int) {
        guard byteOffset >= 0, byteOffset + Value.bitWidth / 8 <= count else { return }
        for index in 0..<Value.bitWidth / 8 {
            self[byteOffset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
        }
    }

    /// CRC32C of the ranges, one behind the other, as far as they are there.
    package func checksum(_ ranges: Range<Int>...) -> UInt32 {
        let covered = ranges.flatMap { range -> ArraySlice<UInt8> in
            let clamped = range.clamped(to: 0..<count)
            return self[clamped]
        }
        return CRC32C.checksum(covered)
    }
}
