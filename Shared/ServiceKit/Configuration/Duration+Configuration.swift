// SPDX-License-Identifier: Apache-2.0

/// Durations as people write them: `10s`, `250ms`, `5m`, `1h`.
extension Duration: ConfigurationValue {
    package static var kindName: String { "duration" }

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    package static func parse(_ text: String, relativeTo baseDirectory: String = "/") throws(ValueRefusal) -> Duration {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = Int64(digits), let scale = units.first(where: { $0.name == unit })?.milliseconds else {
            throw ValueRefusal("“\(text)” is not a duration; write a number and ms, s, m or h, such as 10s")
        }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: scale)
        guard !overflow else { throw ValueRefusal("“\(text)” is too long") }
        return .milliseconds(milliseconds)
    }

    package var configurationText: String {
        let whole = wholeMilliseconds
        for unit in Self.units where whole > 0 && whole % unit.milliseconds == 0 {
            return "\(whole / unit.milliseconds)\(unit.name)"
        }
        return "\(whole)ms"
    }

    /// Rounded down.
    package var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
