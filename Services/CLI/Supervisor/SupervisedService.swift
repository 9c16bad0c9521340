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

    /// Why it ended, in its own words where it left any: a service's last line is `<program>: <what and why>`.
    func complaint(_ exit: ProcessExit) -> String {
        let name = kind.executableName
        let lines = lastLines.drop { !$0.hasPrefix(name + ": ") }
        guard let first = lines.first else {
            return "\(name) cannot be started: it ended with \(exit) and said: \(lastLines.last ?? "nothing")"
        }
        let words = ([String(first.dropFirst(name.count + 2))] + lines.dropFirst()).joined(separator: "\n")
        return "\(name) cannot be started: \(words)"
    }
}
