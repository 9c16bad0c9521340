// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Messages
import SCSI

/// The targets, as the cache manager listed them last. They stay while it is away.
final class TargetTable {
    struct Change {
        var removed: [Target] = []
        var attentions: [(Target, UnitAttention)] = []
    }

    private var targets: [String: Target] = [:]
    /// False until the first list: then nobody can say that a target does not exist.
    private(set) var isKnown = false

    var count: Int { targets.count }
    subscript(name: String) -> Target? { targets[name] }
    var all: [Target] { targets.values.sorted { $0.name < $1.name } }
    var names: [String] { targets.keys.sorted() }

    func update(_ volumes: [VolumeDescription]) -> Change {
        isKnown = true
        var change = Change()
        var names: Set<String> = []
        for volume in volumes where Target.isVisible(volume) {
            guard let name = TextValue.name(volume.targetName) else { continue }
            names.insert(name)
            if let known = targets[name], known.volume == volume.id {
                if let attention = known.update(volume) { change.attentions.append((known, attention)) }
            } else {
                if let other = targets[name] { change.removed.append(other) }
                targets[name] = Target(volume)
            }
        }
        for (name, target) in targets where !names.contains(name) {
            change.removed.append(target)
            targets[name] = nil
        }
        return change
    }
}

/// What SendTargets tells over one connection: the address that the initiator itself has reached, so that it also works
/// behind a wildcard listener.
struct ConnectionDirectory: TargetDirectory {
    let table: TargetTable
    let address: String

    func targets(named name: String?) -> [TargetRecord] {
        let addresses = ["\(address),\(Target.portalGroupTag)"]
        if let name { return table[name].map { [TargetRecord(name: $0.name, addresses: addresses)] } ?? [] }
        return table.names.map { TargetRecord(name: $0, addresses: addresses) }
    }
}
