// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Messages

/// Asks one service one thing. `BusCaller` does it over the bus; tests put something else in its place.
package protocol ServiceCaller: Sendable {
    /// Answers within `timeout`, whatever the peer does: with the reply, the peer's own fault, or
    /// `BusFault.Code.deadlineExceeded`.
    func call<Request: BusRequest>(
        _ request: Request, at entry: ServiceEntry, timeout: Duration
    ) async throws(BusFault) -> Request.Reply
}

package struct BusCaller: ServiceCaller {
    private let bus: BusThread

    package init(_ bus: BusThread) { self.bus = bus }

    package func call<Request: BusRequest>(
        _ request: Request, at entry: ServiceEntry, timeout: Duration
    ) async throws(BusFault) -> Request.Reply {
        guard let endpoint = entry.endpoint else { throw BusFault(.notReady, "\(entry.name): \(entry.absence)") }
        return try await bus.request(request, to: endpoint, deadline: timeout)
    }
}
