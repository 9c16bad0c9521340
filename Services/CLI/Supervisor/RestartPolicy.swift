// SPDX-License-Identifier: Apache-2.0
import Glibc
package import ServiceKit

/// How a process ended.
package enum ProcessExit: Equatable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    package var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let signal): "signal \(signal)"
        }
    }
}

/// Decides what follows when a service ends. One value per service, fed with each end.
///
/// A service that had been running comes back at once; one that keeps failing waits longer each time, so that a
/// broken machine is not also a busy one. Only a service that never got going makes the supervisor give up: once the
/// gateway has run, somebody's data path depends on it, and trying again is always better than stopping.
package struct RestartPolicy: Sendable {
    package enum Decision: Equatable, Sendable {
        case restart(after: Duration)
        case giveUp(ServiceExitCode)
    }

    /// A run this long is worth an immediate restart.
    private static let longRun = Duration.seconds(2)
    /// After a run this long the service has shown that it can work here.
    private static let provingRun = Duration.seconds(30)
    private static let firstDelay = Duration.milliseconds(100)
    private static let longestDelay = Duration.seconds(5)
    /// So many starts that fail at once, before any that did not, mean that there is no point.
    private static let futileStarts = 5

    private var isProven = false
    private var failuresInARow = 0

    package init() {}

    package mutating func decide(after exit: ProcessExit, uptime: Duration) -> Decision {
        isProven = isProven || uptime >= Self.provingRun
        if let reason = exit.reasonThatNeedsAPerson {
            if !isProven { return .giveUp(reason) }
        } else if uptime >= Self.longRun {
            failuresInARow = 0
            return .restart(after: .zero)
        }
        if exit.isKill { return .restart(after: Self.firstDelay) }
        failuresInARow += 1
        if !isProven && !exit.isFromOutside && failuresInARow >= Self.futileStarts { return .giveUp(.unavailable) }
        let doublings = min(failuresInARow - 1, 10)
        return .restart(after: min(Self.longestDelay, Self.firstDelay * (1 << doublings)))
    }
}

extension ProcessExit {
    fileprivate var reasonThatNeedsAPerson: ServiceExitCode? {
        guard case .code(let code) = self, let reason = ServiceExitCode(rawValue: code), reason.needsAPerson else {
            return nil
        }
        return reason
    }

    /// Somebody killed it: that says nothing about whether it can run.
    fileprivate var isFromOutside: Bool { isKill || self == .code(0) }

    /// However often that happens, initiators wait meanwhile: the service comes back at once each time.
    fileprivate var isKill: Bool { self == .signal(SIGKILL) || self == .signal(SIGTERM) }
}
