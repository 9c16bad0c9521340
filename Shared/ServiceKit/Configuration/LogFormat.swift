// SPDX-License-Identifier: Apache-2.0
package import Logging

/// How log lines look on standard error.
package enum LogFormat: String, ConfigurationChoice {
    /// For people.
    case text
    /// One JSON object a line, for log collectors.
    case json
}

extension Logger.Level: ConfigurationChoice {}
