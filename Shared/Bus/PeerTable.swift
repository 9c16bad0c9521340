// SPDX-License-Identifier: Apache-2.0
package import Messages
package import Platform
package import Wire

/// One peer that has said hello.
package struct BusPeer: Sendable, Equatable {
    package var service: ServiceKind
    package var instance: ServiceInstance
    package var softwareVersion: String
    package init(service: ServiceKind, instance: ServiceInstance, softwareVersion: String) {
        self.service = service
        self.instance = instance
        self.softwareVersion = softwareVersion
    }
}

/// Who has said hello on a server's socket. Bounded: the peer silent for longest makes room for a new one, and has to
/// say hello again if it comes back.
package struct PeerTable {
    private struct Entry {
        var peer: BusPeer
        var lastSeen: MonotonicInstant
    }

    private let capacity: Int
    private var entries: [PeerIdentity: Entry] = [:]

    package init(capacity: Int = 4096) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    package var count: Int { entries.count }
    package var identities: [PeerIdentity] { Array(entries.keys) }
    package subscript(identity: PeerIdentity) -> BusPeer? { entries[identity]?.peer }

    package mutating func enter(_ identity: PeerIdentity, _ peer: BusPeer, now: MonotonicInstant) {
        if entries[identity] == nil, entries.count >= capacity,
            let oldest = entries.min(by: { $0.value.lastSeen < $1.value.lastSeen })
        {
            entries.removeValue(forKey: oldest.key)
        }
        entries[identity] = Entry(peer: peer, lastSeen: now)
    }

    /// The peer, if it has said hello as this instance.
    package mutating func seen(
        _ identity: PeerIdentity, as instance: ServiceInstance, now: MonotonicInstant
    ) -> BusPeer? {
        guard let index = entries.index(forKey: identity), entries.values[index].peer.instance == instance else {
            return nil
        }
        entries.values[index].lastSeen = now
        return entries.values[index].peer
    }

    package func lastSeen(_ identity: PeerIdentity) -> MonotonicInstant? { entries[identity]?.lastSeen }

    package mutating func remove(_ identity: PeerIdentity) { entries.removeValue(forKey: identity) }
}
