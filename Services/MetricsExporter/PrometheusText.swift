// SPDX-License-Identifier: Apache-2.0
package import Messages

/// Metric families as Prometheus's text format 0.0.4: `# HELP`, `# TYPE`, one line per sample. Families of the same
/// name from several services become one, because the format allows each name once.
package struct PrometheusText {
    private var families: [String: MetricFamily] = [:]

    package init() {}

    /// Adds one service's metrics, each sample marked with the labels that say whose it is. What breaks the format's
    /// rules (a bad name, another type under a known name, a label set that is already there) is left out and counted:
    /// one faulty service must not make the whole page unreadable.
    /// - Returns: how many samples were left out.
    package mutating func add(_ added: [MetricFamily], labels: [String: String] = [:]) -> Int {
        var leftOut = 0
        for family in added {
            guard Self.isMetricName(family.name), families[family.name].map({ $0.type == family.type }) ?? true else {
                leftOut += family.samples.count
                continue
            }
            var merged =
                families[family.name]
                ?? MetricFamily(
                    name: family.name, help: family.help, type: family.type, samples: [])
            var known = Set(merged.samples.map(\.labels))
            for sample in family.samples {
                let all = sample.labels.merging(labels) { own, _ in own }
                guard all.keys.allSatisfy(Self.isLabelName), known.insert(all).inserted else {
                    leftOut += 1
                    continue
                }
                merged.samples.append(MetricFamily.Sample(labels: all, value: sample.value))
            }
            families[family.name] = merged
        }
        return leftOut
    }

    /// Families by name, samples by labels, so that two scrapes of the same state are the same bytes.
    package func render() -> String {
        var text = ""
        for family in families.values.sorted(by: { $0.name < $1.name }) where !family.samples.isEmpty {
            text += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
            text += "# TYPE \(family.name) \(family.type == .counter ? "counter" : "gauge")\n"
            text += family.samples.map { family.name + Self.labels($0.labels) + " \(Self.number($0.value))\n" }
                .sorted().joined()
        }
        return text
    }

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private static func labels(_ labels: [String: String]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escaped($0.value, quotes: true))\"" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    /// Whole numbers without a fraction, because people read this page too.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    private static func isMetricName(_ name: String) -> Bool {
        isName(name) { isWordByte($0) || $0 == UInt8(ascii: ":") }
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, and not Prometheus's own `__…`.
    private static func isLabelName(_ name: String) -> Bool { isName(name, isWordByte) && !name.hasPrefix("__") }

    private static func isName(_ name: String, _ isAllowed: (UInt8) -> Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy(isAllowed)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
