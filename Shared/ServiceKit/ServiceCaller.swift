// SPDX-License-Identifier: Apache-2.0
package import Messages

/// Asks one service one thing. The bus implements it; tests put something else in its place.
package protocol ServiceCaller: Sendable {
    /// Answers within `timeout`, whatever the peer does: with the reply, the peer's own fault, or
    /// `BusFault.Code.deadlineExceeded`.
    func call<Request: BusRequest>(
        _ request: Request, at endpoint: String, timeout: Duration
    ) async throws(BusFault) -> Request.Reply
}
