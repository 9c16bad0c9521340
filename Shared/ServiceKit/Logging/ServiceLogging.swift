// SPDX-License-Identifier: Apache-2.0
package import Logging

/// Sets up logging for a process; once, before the first logger is made.
package enum ServiceLogging {
    package static func bootstrap(label: String, _ configuration: GatewayConfiguration) -> Logger {
        let (level, format) = (configuration.logLevel, configuration.logFormat)
        LoggingSystem.bootstrap { _ in StandardErrorLogHandler(label: label, level: level, format: format) }
        return Logger(label: label)
    }
}
