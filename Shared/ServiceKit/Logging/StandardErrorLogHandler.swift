// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Logging

/// Writes one line per event to standard error with one write(2), so that lines of threads never mix.
package struct StandardErrorLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let label: String
    private let format: LogFormat

    package init(label: String, level: Logger.Level, format: LogFormat) {
        self.label = label
        self.format = format
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let given = event.metadata { merged.merge(given) { $1 } }
        if let error = event.error { merged["error"] = "\(error)" }
        let time = Timestamp.now().iso8601
        let message = event.message.description
        let line =
            switch format {
            case .text:
                LogLine.text(time: time, level: event.level, label: label, message: message, metadata: merged)
            case .json:
                LogLine.json(time: time, level: event.level, label: label, message: message, metadata: merged)
            }
        StandardError.write(line)
    }
}

/// Standard error as a place for whole lines. What cannot be written is lost: there is nobody left to tell.
package enum StandardError {
    package static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
