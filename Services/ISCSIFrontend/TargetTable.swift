// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Messages
import Platform
import SCSI
import ServiceKit

/// The targets, as the cache managers listed them last. They stay while those are away.
final class TargetTable {
    struct Change {
        var removed: [Target] = []
        /// Volumes that another cache manager has now, and which had them before.
        var moved: [(Target, from: CacheLink.ID)] = []
    }

    /// So long a volume that a cache manager does not have any more after a restart may take to come up elsewhere.
    private let patience: Duration
    init(patience: Duration) { self.patience = patience }

    private var targets: [String: Target] = [:]

    var count: Int { targets.count }
    subscript(name: String) -> Target? { targets[name] }
    var all: [Target] { targets.values.sorted { $0.name < $1.name } }
    var names: [String] { targets.keys.sorted() }

    func isUsed(_ manager: CacheLink.ID) -> Bool { targets.values.contains { $0.manager.id == manager } }

    /// - Parameters:
    ///   - volumes: all that this cache manager has.
    ///   - connection: whether another one is connected; nil: there is no such link any more.
    func update(
        _ volumes: [VolumeDescription], from manager: CacheLink.State, connection: (CacheLink.ID) -> Bool?,
        now: MonotonicInstant
    ) -> Change {
        var change = Change()
        var names: Set<String> = []
        for volume in volumes where Target.isVisible(volume) {
            guard let name = TextValue.name(volume.targetName) else { continue }
            names.insert(name)
            guard let known = targets[name] else {
                targets[name] = Target(volume, at: manager)
                continue
            }
            guard Self.mayServe(known, volume, at: manager, connection) else { continue }
            if known.volume != volume.id {
                change.removed.append(known)
                targets[name] = Target(volume, at: manager)
                continue
            }
            if known.manager.id != manager.id { change.moved.append((known, from: known.manager.id)) }
            known.update(volume, at: manager)
        }
        for (name, target) in targets where !names.contains(name) {
            // One whose link is gone, as after a revocation, is anybody's to bring back.
            let isOurs = target.manager.id == manager.id || connection(target.manager.id) == nil
            guard isOurs, isGone(target, manager, now) else { continue }
            change.removed.append(target)
            targets[name] = nil
        }
        return change
    }

    /// One cache manager has each volume. While two list it, or name one alike, the one that had it keeps it.
    private static func mayServe(
        _ known: Target, _ volume: VolumeDescription, at manager: CacheLink.State, _ connection: (CacheLink.ID) -> Bool?
    ) -> Bool {
        let isElsewhere = known.manager.id != manager.id
        if !isElsewhere || known.missingSince != nil || connection(known.manager.id) != true { return true }
        return known.volume == volume.id && known.status == .fenced && volume.status != .fenced
    }

    /// A cache manager that had it a moment ago has removed it. One that was started again since may have left it to
    /// another one, which is waited for.
    private func isGone(_ target: Target, _ manager: CacheLink.State, _ now: MonotonicInstant) -> Bool {
        guard target.manager.id != manager.id || target.manager.incarnation != manager.incarnation else { return true }
        let since = target.missingSince ?? now
        target.missingSince = since
        return since.advanced(by: patience) <= now
    }
}

/// What SendTargets tells over one connection: the portals that are configured, or the address that the initiator
/// itself has reached, so that it also works behind a wildcard listener.
struct ConnectionDirectory: TargetDirectory {
    let connection: Connection

    func targets(named name: String?) -> [TargetRecord] {
        let owner = connection.owner
        let advertised = owner.configuration.advertise.map(\.configurationText)
        let addresses = (advertised.isEmpty ? [connection.localAddress] : advertised).map {
            "\($0),\(TargetPort.portalGroupTag)"
        }
        let asked = name.map { name in [owner.targets[name]].compactMap(\.self) } ?? owner.targets.all
        let initiator = connection.session?.identity.initiatorName ?? ""
        // Targets that the initiator may not use are not told.
        let visible = asked.filter { connection.access(to: $0.name, initiator: initiator) != .refused }
        return visible.map { TargetRecord(name: $0.name, addresses: addresses) }
    }
}
