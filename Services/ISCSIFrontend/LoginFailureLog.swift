// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Logging

/// Logs logins that failed, at most one line per status and interval: a hostile peer must not fill the disk with them.
struct LoginFailureLog {
    private struct Entry {
        var quietUntil: UInt64 = 0
        var suppressedCount = 0
    }

    private static let intervalNanoseconds: UInt64 = 10_000_000_000
    private var entries: [UInt16: Entry] = [:]

    /// - Parameters:
    ///   - status: nil: closed without an answer.
    ///   - now: nanoseconds of the monotonic clock.
    mutating func report(_ status: UInt16?, of connection: Connection, at now: UInt64, to logger: Logger) {
        let entry = entries[status ?? 0] ?? Entry()
        guard now >= entry.quietUntil else {
            entries[status ?? 0]?.suppressedCount += 1
            return
        }
        entries[status ?? 0] = Entry(quietUntil: now + Self.intervalNanoseconds)
        let reason = status.flatMap(LoginStatus.init).map { "\($0)" } ?? "no login"
        logger.notice(
            "Login refused",
            metadata: [
                "reason": "\(reason)", "peer": "\(connection.peer)",
                "initiator": "\(connection.login.identity?.initiatorName ?? "unknown")",
                "target": "\(connection.login.identity?.targetName ?? "none")",
                "suppressed": "\(entry.suppressedCount)",
            ])
    }
}
