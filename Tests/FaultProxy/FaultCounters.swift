// SPDX-License-Identifier: Apache-2.0

/// What the proxy has done since it started. A fault counts when it takes effect, not when it is decided.
package struct FaultCounters: Equatable, Sendable {
    /// Requests whose head was read.
    package var requests = 0
    /// Requests that a client sent and the server received whole.
    package var forwarded = 0
    /// Copies that reached the server by `duplicate` or `late-delivery`; these are not in `forwarded`.
    package var lateDelivered = 0
    /// Those of them that the server answered with anything but success, such as a failed precondition.
    package var lateRefused = 0
    /// Copies that still wait for their time.
    package var latePending = 0
    /// Exchanges under way; the other counters are final for those that have ended.
    package var open = 0
    /// Copies that the server did not take, or that `stop` gave up.
    package var lateFailed = 0
    /// Requests that the server did not answer to the end, without a fault of ours.
    package var upstreamFailures = 0
    /// Clients that went away in the middle of an exchange.
    package var clientDisconnects = 0
    /// Clients that sent what is not HTTP/1.
    package var malformed = 0
    package var injected: [FaultName: Int] = [:]
    /// Faults that were decided on and could not take effect, such as truncating an empty body.
    package var notPossible: [FaultName: Int] = [:]

    package init() {}

    /// How often this fault took effect.
    package subscript(_ name: FaultName) -> Int { injected[name] ?? 0 }

    /// One line; fields are always in the same order, faults that never happened are left out.
    package var json: String {
        let numbers: [(String, Int)] = [
            ("requests", requests), ("forwarded", forwarded), ("lateDelivered", lateDelivered),
            ("lateRefused", lateRefused), ("latePending", latePending), ("lateFailed", lateFailed),
            ("upstreamFailures", upstreamFailures), ("clientDisconnects", clientDisconnects), ("malformed", malformed),
        ]
        let fields = numbers.map { "\"\($0)\":\($1)" }
        let faults = [Self.json("injected", injected), Self.json("notPossible", notPossible)]
        return "{\((fields + faults).joined(separator: ","))}"
    }

    private static func json(_ name: String, _ counts: [FaultName: Int]) -> String {
        let fields = FaultName.allCases.compactMap { name in counts[name].map { "\"\(name.rawValue)\":\($0)" } }
        return "\"\(name)\":{\(fields.joined(separator: ","))}"
    }
}
