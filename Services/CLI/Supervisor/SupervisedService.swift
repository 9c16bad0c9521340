// SPDX-License-Identifier: Apache-2.0
import Messages
import ServiceKit

/// What the supervisor knows about one service.
struct SupervisedService {
    enum Phase {
        case running(ChildProcess, since: ContinuousClock.Instant)
        case waiting(until: ContinuousClock.Instant)
        case stopped
    }

    let kind: ServiceKind
    let program: String
    var phase = Phase.stopped
    var policy = RestartPolicy()
    var lines = LineBuffer()
    /// The newest output, for the message when the service cannot be started.
    var lastLines: [String] = []

    init(kind: ServiceKind, program: String) {
        self.kind = kind
        self.program = program
    }

    var child: ChildProcess? {
        if case .running(let child, _) = phase { return child }
        return nil
    }

    mutating func remember(_ line: String) {
        lastLines.append(line)
        if lastLines.count > 10 { lastLines.removeFirst() }
    }
}
