// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A network of IPv4 or IPv6 addresses in CIDR form, or one address.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    package let description: String
    private let bytes: [UInt8]
    private let prefixBitCount: Int

    /// nil: `text` is neither an address nor `address/bits`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let bytes = Self.bytes(of: parts[0]) else { return nil }
        if parts.count == 2 {
            guard let bitCount = UInt8(parts[1]), parts[1].allSatisfy(\.isNumber), bitCount <= 8 * bytes.count else {
                return nil
            }
            prefixBitCount = Int(bitCount)
        } else {
            prefixBitCount = 8 * bytes.count
        }
        self.bytes = bytes
        description = text
    }

    /// - Parameter host: an address in numbers, without brackets; its zone does not matter.
    package func contains(_ host: String) -> Bool {
        let address = host.split(separator: "%", maxSplits: 1).first.map(String.init) ?? host
        guard let other = Self.bytes(of: address), other.count == bytes.count else { return false }
        let (whole, rest) = prefixBitCount.quotientAndRemainder(dividingBy: 8)
        guard bytes[..<whole] == other[..<whole] else { return false }
        return rest == 0 || (bytes[whole] ^ other[whole]) >> UInt8(8 - rest) == 0
    }

    private static func bytes(of address: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if unsafe inet_pton(family, address, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
