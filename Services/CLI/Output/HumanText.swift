// SPDX-License-Identifier: Apache-2.0
package import ServiceKit

/// Quantities in tables.
package enum HumanText {
    /// `3 s`, `4 min`, `2 h`, `5 d`.
    package static func age(seconds: Double) -> String {
        switch seconds {
        case ..<0: "0 s"
        case ..<10: "\(Int(seconds * 10) / 10).\(Int(seconds * 10) % 10) s"
        case ..<120: "\(Int(seconds)) s"
        case ..<7200: "\(Int(seconds / 60)) min"
        case ..<172_800: "\(Int(seconds / 3600)) h"
        case ..<1e12: "\(Int(seconds / 86_400)) d"
        default: "unknown"
        }
    }

    /// How long ago a moment was; `never` for 0.
    package static func ago(milliseconds: UInt64, now: Timestamp = .now()) -> String {
        guard milliseconds > 0 else { return "never" }
        guard milliseconds <= now.milliseconds else { return "just now" }
        return age(seconds: Double(now.milliseconds - milliseconds) / 1000) + " ago"
    }

    /// `0.4 ms`, `12.0 ms`.
    package static func milliseconds(microseconds: UInt64) -> String {
        "\(microseconds / 1000).\(microseconds % 1000 / 100) ms"
    }

    package static func percent(_ part: UInt64, of whole: UInt64) -> String {
        whole == 0 ? "0%" : "\(Int((Double(part) / Double(whole) * 100).rounded()))%"
    }
}
