// SPDX-License-Identifier: Apache-2.0

/// The eight LUN bytes of a request, big-endian, SAM-5 §4.7. They come from the peer: any value may arrive.
package struct LogicalUnitNumber: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package static let zero = Self(rawValue: 0)

    /// The single-level number, in peripheral (`00 nn`) or flat (`40 | hi`, `lo`) form; nil for what no unit of ours
    /// can have: a bus number, another addressing method, or a second level.
    package var index: UInt16? {
        guard rawValue & 0xFFFF_FFFF_FFFF == 0 else { return nil }
        let word = UInt16(truncatingIfNeeded: rawValue >> 48)
        switch word >> 14 {
        case 0: return word < 256 ? word : nil
        case 1: return word & 0x3FFF
        default: return nil
        }
    }
}
