// SPDX-License-Identifier: Apache-2.0
import Messages

/// What this process counts about initiators. On the loop's thread only.
final class FrontendCounters {
    var logins: UInt64 = 0
    private var loginFailures: [UInt16: UInt64] = [:]
    var rejectedPDUs: UInt64 = 0
    var connectionsAccepted: UInt64 = 0
    var connectionsRefused: UInt64 = 0
    private var closed: [CloseReason: UInt64] = [:]
    var taskManagement: UInt64 = 0

    /// - Parameter status: class and detail as they were sent; 0 when the connection was closed without an answer.
    func countLoginFailure(_ status: UInt16) { loginFailures[status, default: 0] += 1 }
    func countClosed(_ reason: CloseReason) { closed[reason, default: 0] += 1 }

    var loginFailureCount: UInt64 { loginFailures.values.reduce(0, +) }

    func families() -> [MetricFamily] {
        [
            MetricFamily(.logins, logins),
            MetricFamily(
                .loginsFailed,
                loginFailures.sorted { $0.key < $1.key }.map { status, count in
                    let digits = String(status, radix: 16)
                    let label = String(repeating: "0", count: 4 - digits.count) + digits
                    return .init(labels: ["status": label], value: Double(count))
                }),
            MetricFamily(.rejectedPDUs, rejectedPDUs),
            MetricFamily(.connectionsAccepted, connectionsAccepted),
            MetricFamily(.connectionsRefused, connectionsRefused),
            MetricFamily(
                .connectionsClosed,
                CloseReason.allCases.compactMap { reason in
                    closed[reason].map { .init(labels: ["reason": reason.rawValue], value: Double($0)) }
                }),
            MetricFamily(.taskManagement, taskManagement),
        ]
    }
}
