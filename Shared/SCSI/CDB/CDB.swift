// SPDX-License-Identifier: Apache-2.0

/// The command descriptor block: 16 bytes in big-endian order, byte 0 highest; shorter ones are followed by zeros.
package struct CDB: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt128
    @inlinable package init(rawValue: UInt128) { self.rawValue = rawValue }

    /// - Parameters:
    ///   - high: bytes 0-7.
    ///   - low: bytes 8-15.
    @inlinable package init(high: UInt64, low: UInt64) {
        rawValue = UInt128(high) << 64 | UInt128(low)
    }

    package var opcode: UInt8 { byte(0) }

    /// How opcodes are grouped by length, SPC-4 §4.2.5.1.
    enum Form { case six, ten, twelve, sixteen }

    /// Only for opcodes of the table; groups 3, 6 and 7 have no fixed length.
    var form: Form {
        switch opcode >> 5 {
        case 0: .six
        case 1, 2: .ten
        case 5: .twelve
        default: .sixteen
        }
    }

    var serviceAction: UInt8 { byte(1) & 0x1F }

    @inline(__always)
    func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: field(at: index, byteCount: 1)) }

    @inline(__always)
    func bit(_ bit: UInt8, ofByte index: Int) -> Bool { byte(index) >> bit & 1 == 1 }

    /// A big-endian field of up to eight bytes. Offsets are constants of the program.
    @inline(__always)
    func field(at byteOffset: Int, byteCount: Int) -> UInt64 {
        precondition(byteOffset >= 0 && byteCount > 0 && byteCount <= 8 && byteOffset + byteCount <= 16)
        let shifted = UInt64(truncatingIfNeeded: rawValue >> UInt128(8 * (16 - byteOffset - byteCount)))
        return byteCount == 8 ? shifted : shifted & (1 << UInt64(8 * byteCount) - 1)
    }
}
