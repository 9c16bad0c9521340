// SPDX-License-Identifier: Apache-2.0

/// The challenges that were sent on any connection and are not answered yet. An initiator that sends one of them as
/// its own wants us to answer it (RFC 7143 §9.2.1). Bounded by the number of logins in progress.
package struct OutstandingChallenges: Sendable {
    private var challenges: Set<[UInt8]> = []
    package init() {}

    package var count: Int { challenges.count }
    package mutating func insert(_ challenge: [UInt8]) { challenges.insert(challenge) }
    package mutating func remove(_ challenge: [UInt8]) { challenges.remove(challenge) }
    package func contains(_ challenge: [UInt8]) -> Bool { challenges.contains(challenge) }
}
