// SPDX-License-Identifier: Apache-2.0

/// What a login has to ask its surroundings while it runs.
package protocol LoginEnvironment {
    /// False while the service stops: logins are told to come back (0301).
    var acceptsLogins: Bool { get }
    /// - Parameter name: in normal (lower-case) form.
    func findTarget(named name: String) -> TargetLookup
    /// - Parameters:
    ///   - target: a name that was found; nil: a discovery session, which may have credentials of its own.
    ///   - initiator: both in normal (lower-case) form.
    func access(to target: String?, initiator: String) -> LoginAccess

    /// The digests that CHAP may use.
    var chapAlgorithms: Set<CHAPAlgorithm> { get }
    /// From the system's generator: nobody can guess them, and they never come again.
    func randomBytes(_ count: Int) -> [UInt8]

    /// Challenges that wait for their answer on any connection; `OutstandingChallenges` keeps them.
    func remember(challenge: [UInt8])
    func forget(challenge: [UInt8])
    func isOutstanding(challenge: [UInt8]) -> Bool
}

package enum TargetLookup: Equatable, Sendable {
    case found(portalGroupTag: UInt16)
    case notFound
    /// Known, but not serving now: the initiator is told to come back (0301).
    case unavailable
    /// It is being deleted (0204).
    case removed
    /// Served elsewhere (0101 or 0102).
    /// - Parameter address: `address[:port]`, IPv6 in brackets.
    case moved(address: String, isPermanent: Bool)
}

/// Who logs in to what; with the target's portal group the key of a session (RFC 7143 §4.4.3).
package struct SessionIdentity: Hashable, Sendable {
    /// In normal (lower-case) form.
    package var initiatorName: String
    package var isid: InitiatorSessionID
    /// Nil: a discovery session.
    package var targetName: String?
    package init(initiatorName: String, isid: InitiatorSessionID, targetName: String?) {
        self.initiatorName = initiatorName
        self.isid = isid
        self.targetName = targetName
    }
    package var isDiscovery: Bool { targetName == nil }
}
