// SPDX-License-Identifier: Apache-2.0

/// What SendTargets may tell (RFC 7143 appendix C).
package protocol TargetDirectory {
    /// All targets, or the one with this name, in the order in which they are listed.
    func targets(named name: String?) -> [TargetRecord]
}

package struct TargetRecord: Equatable, Sendable {
    package var name: String
    /// `address:port,group`, IPv6 in brackets.
    package var addresses: [String]
    package init(name: String, addresses: [String]) {
        self.name = name
        self.addresses = addresses
    }
}

/// Answers SendTargets. On a normal session only its own target is told, for `All` too: it leaks nothing, and
/// initiators ask so although RFC 7143 keeps `All` for discovery.
package struct SendTargets {
    package let identity: SessionIdentity

    /// Nil: the value is not one that may be asked for here.
    package func answer(_ value: String, from directory: some TargetDirectory) -> [TextPair]? {
        if let own = identity.targetName {
            guard value == "All" || value.isEmpty || TextValue.name(value) == own else { return nil }
            return pairs(directory.targets(named: own))
        }
        if value == "All" { return pairs(directory.targets(named: nil)) }
        guard let name = TextValue.name(value) else { return nil }
        return pairs(directory.targets(named: name))
    }

    private func pairs(_ records: [TargetRecord]) -> [TextPair] {
        records.flatMap { record in
            [TextPair("TargetName", record.name)] + record.addresses.map { TextPair("TargetAddress", $0) }
        }
    }
}
