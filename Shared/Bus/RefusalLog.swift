// SPDX-License-Identifier: Apache-2.0
import Logging
import Platform

/// Logs refusals, at most one line per reason and interval: a hostile peer must not fill the disk with them.
/// Used by one thread.
final class RefusalLog {
    private struct Entry {
        var quietUntil = MonotonicInstant(nanoseconds: 0)
        var suppressed = 0
    }

    private static let interval: Duration = .seconds(10)
    private let logger: Logger
    private var entries = [Entry](repeating: Entry(), count: BusCounters.Refusal.allCases.count)

    init(logger: Logger) { self.logger = logger }

    func report(_ reason: BusCounters.Refusal, _ detail: @autoclosure () -> String, peer: PeerIdentity?) {
        let now = MonotonicClock.now()
        guard now >= entries[reason.rawValue].quietUntil else {
            entries[reason.rawValue].suppressed += 1
            return
        }
        let suppressed = entries[reason.rawValue].suppressed
        entries[reason.rawValue] = Entry(quietUntil: now.advanced(by: Self.interval))
        logger.warning(
            "bus message refused",
            metadata: [
                "reason": "\(reason.label)", "detail": "\(detail())", "peer": "\(peer?.description ?? "server")",
                "suppressed": "\(suppressed)",
            ])
    }
}
