// SPDX-License-Identifier: Apache-2.0

/// What the data plane has seen since the start.
package struct IOCounters: Equatable, Sendable {
    package var requests: UInt64 = 0
    /// Requests, or whole messages, whose parts do not fit together.
    package var malformed: UInt64 = 0
    /// Past their deadline, or of a revoked frontend.
    package var refused: UInt64 = 0
    package var revokedFrontends: UInt64 = 0
    package init() {}
}
