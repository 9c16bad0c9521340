// SPDX-License-Identifier: Apache-2.0
package import Messages
import Synchronization

/// What one socket, or all sockets of a bus thread, have carried and refused. Read from any thread.
package final class BusCounters: Sendable {
    /// Why a message was not accepted or not sent: the label of the metric.
    package enum Refusal: Int, CaseIterable, Sendable {
        case wrongMagic, unsupportedVersion, truncated, lengthMismatch, checksumMismatch, reservedBits
        case unsupportedKind, tooLarge, malformedBody, helloRequired, badIdentity, unexpected
        case sendFull, sendUnreachable
    }

    private final class Counter: Sendable { let value = Atomic<UInt64>(0) }

    private let received = Counter()
    private let sent = Counter()
    private let receivedBytes = Counter()
    private let sentBytes = Counter()
    private let refusals = Refusal.allCases.map { _ in Counter() }

    package init() {}

    package var messagesReceived: UInt64 { received.value.load(ordering: .relaxed) }
    package var messagesSent: UInt64 { sent.value.load(ordering: .relaxed) }
    package func refused(_ reason: Refusal) -> UInt64 { refusals[reason.rawValue].value.load(ordering: .relaxed) }

    func countReceived(byteCount: Int) {
        received.value.add(1, ordering: .relaxed)
        receivedBytes.value.add(UInt64(byteCount), ordering: .relaxed)
    }

    func countSent(byteCount: Int) {
        sent.value.add(1, ordering: .relaxed)
        sentBytes.value.add(UInt64(byteCount), ordering: .relaxed)
    }

    func countRefused(_ reason: Refusal) { refusals[reason.rawValue].value.add(1, ordering: .relaxed) }

    /// For a service's metrics provider.
    package func metricFamilies() -> [MetricFamily] {
        func family(_ metric: Metric, _ counter: Counter) -> MetricFamily {
            MetricFamily(metric, counter.value.load(ordering: .relaxed))
        }
        return [
            family(.busMessagesReceived, received),
            family(.busMessagesSent, sent),
            family(.busReceivedBytes, receivedBytes),
            family(.busSentBytes, sentBytes),
            MetricFamily(
                .busRefused,
                Refusal.allCases.map { .init(labels: ["reason": $0.label], value: Double(refused($0))) }),
        ]
    }
}

extension BusCounters.Refusal {
    init(_ error: MessageError) {
        self =
            switch error {
            case .truncated: .truncated
            case .wrongMagic: .wrongMagic
            case .unsupportedVersion: .unsupportedVersion
            case .unsupportedKind: .unsupportedKind
            case .reservedBits: .reservedBits
            case .lengthMismatch: .lengthMismatch
            case .checksumMismatch: .checksumMismatch
            case .tooLarge: .tooLarge
            case .tooDeep, .invalidValue, .missingField, .unsupportedShape: .malformedBody
            }
    }

    /// snake_case, as Prometheus has it.
    var label: String {
        String(describing: self).reduce(into: "") { text, character in
            if character.isUppercase { text += "_" }
            text += character.lowercased()
        }
    }
}
