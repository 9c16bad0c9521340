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
        func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricFamily {
            MetricFamily(name: name, help: help, type: .counter, samples: [.init(value: Double(value))])
        }
        return [
            counter("sluice_iscsi_logins_total", "Logins that led to a session.", logins),
            MetricFamily(
                name: "sluice_iscsi_logins_failed_total",
                help: "Logins that were refused, by iSCSI status class and detail (0000: closed without an answer).",
                type: .counter,
                samples: loginFailures.sorted { $0.key < $1.key }.map { status, count in
                    let digits = String(status, radix: 16)
                    let label = String(repeating: "0", count: 4 - digits.count) + digits
                    return .init(labels: ["status": label], value: Double(count))
                }),
            counter("sluice_iscsi_rejected_pdus_total", "PDUs that were refused.", rejectedPDUs),
            counter("sluice_iscsi_connections_accepted_total", "TCP connections accepted.", connectionsAccepted),
            counter(
                "sluice_iscsi_connections_refused_total", "TCP connections closed because of a limit.",
                connectionsRefused),
            MetricFamily(
                name: "sluice_iscsi_connections_closed_total", help: "TCP connections that ended, by reason.",
                type: .counter,
                samples: CloseReason.allCases.compactMap { reason in
                    closed[reason].map { .init(labels: ["reason": reason.rawValue], value: Double($0)) }
                }),
            counter(
                "sluice_iscsi_task_management_total", "Task management functions carried out.", taskManagement),
        ]
    }
}
