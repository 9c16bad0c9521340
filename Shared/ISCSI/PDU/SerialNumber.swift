// SPDX-License-Identifier: Apache-2.0

/// CmdSN or StatSN: 32 bits compared with the serial arithmetic of RFC 1982, so that they may wrap. Not `Comparable`:
/// the order is not transitive over more than half the circle.
package struct SerialNumber: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable package func advanced(by count: Int) -> SerialNumber {
        SerialNumber(rawValue &+ UInt32(truncatingIfNeeded: count))
    }

    /// How far `other` lies ahead; negative when it lies behind.
    @inlinable package func distance(to other: SerialNumber) -> Int {
        Int(Int32(bitPattern: other.rawValue &- rawValue))
    }
}
