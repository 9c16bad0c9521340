// SPDX-License-Identifier: Apache-2.0
package import Messages

/// Metric families as Prometheus's text format 0.0.4: `# HELP`, `# TYPE`, one line per sample. Families of the same
/// name from several services become one, because the format allows each name once.
package struct PrometheusText {
    /// A sample with its labels as they are written.
    private struct Line {
        var labels: String
        var value: Double
        var bucketCounts: [UInt64]?
    }

    private struct Family {
        var help: String
        var type: MetricFamily.MetricType
        var upperBounds: [Double]?
        var lines: [Line] = []
        var known: Set<String> = []
    }

    private var families: [String: Family] = [:]

    package init() {}

    /// Adds one service's metrics, each sample marked with the labels that say whose it is. What breaks the format's
    /// rules (a bad name, another type under a known name, a label set that is already there) is left out and counted:
    /// one faulty service must not make the whole page unreadable.
    /// - Returns: how many samples were left out.
    package mutating func add(_ added: [MetricFamily], labels: [String: String] = [:]) -> Int {
        added.reduce(0) { $0 + add($1, labels: labels) }
    }

    private mutating func add(_ added: MetricFamily, labels: [String: String]) -> Int {
        var family =
            families.removeValue(forKey: added.name)
            ?? Family(help: added.help, type: added.type, upperBounds: added.upperBounds)
        // One that was taken out is put back; an empty one is not written.
        defer { families[added.name] = family }
        guard Self.isMetricName(added.name), Self.isSound(added), family.type == added.type,
            family.upperBounds == added.upperBounds
        else { return added.samples.count }
        var leftOut = 0
        family.lines.reserveCapacity(family.lines.count + added.samples.count)
        for sample in added.samples {
            let all = labels.isEmpty ? sample.labels : sample.labels.merging(labels) { own, _ in own }
            let text = Self.labels(all)
            guard all.keys.allSatisfy(Self.isLabelName), family.known.insert(text).inserted else {
                leftOut += 1
                continue
            }
            family.lines.append(Line(labels: text, value: sample.value, bucketCounts: sample.bucketCounts))
        }
        return leftOut
    }

    /// A histogram has bounds in order and one count more than bounds; others have neither.
    private static func isSound(_ family: MetricFamily) -> Bool {
        guard family.type == .histogram else {
            return family.upperBounds == nil && family.samples.allSatisfy { $0.bucketCounts == nil }
        }
        guard let bounds = family.upperBounds, zip(bounds, bounds.dropFirst()).allSatisfy({ $0 < $1 }),
            bounds.allSatisfy(\.isFinite)
        else { return false }
        return family.samples.allSatisfy { $0.bucketCounts?.count == bounds.count + 1 }
    }

    /// Families by name, samples by labels, so that two scrapes of the same state are the same bytes.
    package func render() -> String {
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) where !family.lines.isEmpty {
            text += "# HELP \(name) \(Self.escaped(family.help, quotes: false))\n"
            text += "# TYPE \(name) \(Self.word(for: family.type))\n"
            let bounds = (family.upperBounds ?? []).map(Self.number) + ["+Inf"]
            for line in family.lines.sorted(by: { $0.labels < $1.labels }) {
                if let counts = line.bucketCounts {
                    Self.write(line, counts, bounds, of: name, to: &text)
                } else {
                    text += name
                    text += Self.braced(line.labels)
                    text += " \(Self.number(line.value))\n"
                }
            }
        }
        return text
    }

    /// Counts add up from bucket to bucket on the page.
    private static func write(
        _ line: Line, _ counts: [UInt64], _ bounds: [String], of name: String, to text: inout String
    ) {
        let head = name + "_bucket{" + line.labels + (line.labels.isEmpty ? "le=\"" : ",le=\"")
        var sum: UInt64 = 0
        for (count, bound) in zip(counts, bounds) {
            sum &+= count
            text += head
            text += bound
            text += "\"} \(sum)\n"
        }
        let labels = braced(line.labels)
        text += "\(name)_sum\(labels) \(number(line.value))\n\(name)_count\(labels) \(sum)\n"
    }

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private static func word(for type: MetricFamily.MetricType) -> String {
        switch type {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    private static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{" + labels + "}" }

    private static func labels(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escaped($0.value, quotes: true))\"" }
            .joined(separator: ",")
    }

    /// Whole numbers without a fraction, because people read this page too.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        // Nearly always there is nothing to escape.
        guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return text }
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
