// SPDX-License-Identifier: Apache-2.0
package import ISCSI

/// Who may log in to which volume, from where, and what has to be proven: what the access file says. The first rule
/// that fits an initiator decides; a volume that rules name is closed to everybody whom none of them fits.
package struct AccessRules: Equatable, Sendable {
    /// Whom a rule is about.
    package struct Circle: Equatable, Sendable {
        /// In normal (lower-case) form; empty: everybody.
        package var initiators: Set<String> = []
        /// Empty: from everywhere.
        package var networks: [IPNetwork] = []
        /// Empty: nobody is asked.
        package var credentials: [CHAPCredentials] = []
        package init() {}

        func holds(_ initiator: String, at host: String) -> Bool {
            (initiators.isEmpty || initiators.contains(initiator))
                && (networks.isEmpty || networks.contains { $0.contains(host) })
        }

        var access: LoginAccess { credentials.isEmpty ? .open : .chap(credentials) }
    }

    package struct Rule: Equatable, Sendable {
        /// Names of volumes; nil: all.
        package var volumes: Set<String>?
        package var circle: Circle
        package init(volumes: Set<String>?, circle: Circle) {
            self.volumes = volumes
            self.circle = circle
        }
    }

    package var rules: [Rule] = []
    /// Volumes that no rule names are open to everybody.
    package var isOpenByDefault = true
    /// Who may ask for the list of targets; nil: everybody. Nobody is told of a target that he may not use.
    package var discovery: Circle?
    package var algorithms = CHAPAlgorithm.atLeast(.md5)

    package init() {}

    /// - Parameters:
    ///   - initiator: in normal form.
    ///   - host: its address in numbers.
    package func access(to volume: String, _ initiator: String, at host: String) -> LoginAccess {
        let concerned = rules.filter { $0.volumes?.contains(volume) ?? true }
        guard !concerned.isEmpty else { return isOpenByDefault ? .open : .refused }
        return concerned.first { $0.circle.holds(initiator, at: host) }?.circle.access ?? .refused
    }

    package func discovery(by initiator: String, at host: String) -> LoginAccess {
        guard let discovery else { return .open }
        return discovery.holds(initiator, at: host) ? discovery.access : .refused
    }

    var credentials: [CHAPCredentials] {
        rules.flatMap(\.circle.credentials) + (discovery?.credentials ?? [])
    }
}
