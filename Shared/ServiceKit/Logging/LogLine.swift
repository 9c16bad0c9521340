// SPDX-License-Identifier: Apache-2.0
package import Logging

/// One event as one line. Text from peers can hold anything, so control characters are always escaped: nobody can
/// forge a line or drive a terminal through a log.
package enum LogLine {
    package static func text(
        time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> String {
        var line = "\(time) \(padded(level.rawValue)) "
        appendEscaped(message, to: &line, quote: false)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " "
            appendEscaped(key, to: &line, quote: false)
            line += "="
            let text = value.description
            let needsQuotes = text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0 == "=" }
            if needsQuotes { line += "\"" }
            appendEscaped(text, to: &line, quote: needsQuotes)
            if needsQuotes { line += "\"" }
        }
        return line + "\n"
    }

    package static func json(
        time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> String {
        var line = #"{"time":"\#(time)","level":"\#(level.rawValue)","service":"#
        appendJSON(label, to: &line)
        line += #","message":"#
        appendJSON(message, to: &line)
        if !metadata.isEmpty {
            line += #","metadata":"#
            append(.dictionary(metadata), to: &line)
        }
        return line + "}\n"
    }

    private static func append(_ value: Logger.MetadataValue, to line: inout String) {
        switch value {
        case .string(let text): appendJSON(text, to: &line)
        case .stringConvertible(let value): appendJSON(value.description, to: &line)
        case .array(let values):
            line += "["
            for (index, value) in values.enumerated() {
                if index > 0 { line += "," }
                append(value, to: &line)
            }
            line += "]"
        case .dictionary(let values):
            line += "{"
            for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                appendJSON(key, to: &line)
                line += ":"
                append(value, to: &line)
            }
            line += "}"
        }
    }

    private static func padded(_ level: String) -> String {
        level + String(repeating: " ", count: max(0, 8 - level.utf8.count))
    }

    private static func appendJSON(_ text: String, to line: inout String) {
        line += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                line += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }

    private static func appendEscaped(_ text: String, to line: inout String, quote: Bool) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where quote: line += "\\\""
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where scalar.properties.generalCategory == .control:
                line += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: line.unicodeScalars.append(scalar)
            }
        }
    }
}
