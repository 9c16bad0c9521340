// SPDX-License-Identifier: Apache-2.0

/// What a login has to ask its surroundings while it runs.
package protocol LoginEnvironment {
    /// False while the service stops: logins are told to come back (0301).
    var acceptsLogins: Bool { get }
    /// - Parameter name: in normal (lower-case) form.
    func findTarget(named name: String) -> TargetLookup
}

package enum TargetLookup: Equatable, Sendable {
    case found(portalGroupTag: UInt16)
    case notFound
    /// Known, but not serving now: the initiator is told to come back (0301).
    case unavailable
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
