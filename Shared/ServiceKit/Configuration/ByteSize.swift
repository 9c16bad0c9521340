// SPDX-License-Identifier: Apache-2.0

/// A number of bytes as people write it: `16GiB`, `512MiB`, `4096`. Units are powers of 1024 and are spelt in full,
/// because `G` means two different things to two different readers.
package struct ByteSize: Hashable, Comparable, Sendable {
    package var byteCount: UInt64
    package init(byteCount: UInt64) { self.byteCount = byteCount }
    package static func mebibytes(_ count: UInt64) -> ByteSize { ByteSize(byteCount: count << 20) }
    package static func gibibytes(_ count: UInt64) -> ByteSize { ByteSize(byteCount: count << 30) }
    package static func tebibytes(_ count: UInt64) -> ByteSize { ByteSize(byteCount: count << 40) }

    package static func < (left: ByteSize, right: ByteSize) -> Bool { left.byteCount < right.byteCount }

    private static let units: [(name: String, shift: UInt64)] = [
        ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0),
    ]
}

extension ByteSize: ConfigurationValue {
    package static var kindName: String { "size" }

    package static func parse(_ text: String, relativeTo baseDirectory: String = "/") throws(ValueRefusal) -> ByteSize {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = UInt64(digits) else {
            throw ValueRefusal("“\(text)” is not a size; write a number with its unit, such as 16GiB or 512MiB")
        }
        if unit.isEmpty { return ByteSize(byteCount: number) }
        guard let shift = units.first(where: { $0.name == unit })?.shift else {
            throw ValueRefusal("“\(text)” has an unknown unit; use B, KiB, MiB, GiB or TiB")
        }
        guard number <= UInt64.max >> shift else { throw ValueRefusal("“\(text)” is too large") }
        return ByteSize(byteCount: number << shift)
    }

    /// Exact: the largest unit that divides the value.
    package var configurationText: String {
        for unit in Self.units where byteCount > 0 && byteCount % (1 << unit.shift) == 0 {
            return "\(byteCount >> unit.shift)\(unit.name)"
        }
        return "\(byteCount)B"
    }
}

extension ByteSize: CustomStringConvertible {
    /// For people: three digits or so, `1.5 GiB`.
    package var description: String {
        for unit in Self.units where unit.shift > 0 && byteCount >= 1 << unit.shift {
            let tenths = (Double(byteCount) / Double(UInt64(1) << unit.shift) * 10).rounded()
            let whole = tenths.truncatingRemainder(dividingBy: 10) == 0
            return (whole ? String(Int(tenths / 10)) : String(tenths / 10)) + " " + unit.name
        }
        return "\(byteCount) B"
    }
}
