// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Wire

/// The frontend instances that may use volumes (STORAGE §4): one says hello first and is heard from at least every
/// `silence`; otherwise it is revoked for good, because another path may carry its initiators' commands by then.
///
/// `Peer` is how the bus names a socket. A frontend has one or more that send I/O, and others that do not; each answer
/// goes to the socket that asked. Sockets keep their names when they connect again.
package struct FrontendTable<Peer: Equatable> {
    package enum Verdict: Equatable {
        case admitted
        case helloRequired
        case revoked
    }

    private struct Entry {
        var lastHeard: UInt64
        /// It has said hello to this run of the cache manager.
        var isGreeted = false
        /// The sockets that send I/O, in the order of their first request.
        var peers: [Peer] = []
        /// Requests that did not come from the first socket, and their socket's place.
        var routes: [UInt64: Int] = [:]
    }

    /// Revoked instances that are remembered. One that is forgotten has to say hello again, and its requests of then
    /// are past their deadlines.
    private static var revokedCapacity: Int { 4096 }
    /// Requests dropped without an answer leave their route behind; beyond this many the obsolete ones are swept.
    private static var routeCapacity: Int { 4096 }
    private static var peerCapacity: Int { 64 }

    private let silenceNanoseconds: UInt64
    private var entries: [ServiceInstance: Entry] = [:]
    private var revoked: Set<ServiceInstance> = []
    private var revokedOrder: [ServiceInstance] = []

    package init(silenceNanoseconds: UInt64 = 30_000_000_000) { self.silenceNanoseconds = silenceNanoseconds }

    package var count: Int { entries.values.lazy.filter(\.isGreeted).count }
    package func isKnown(_ instance: ServiceInstance) -> Bool { entries[instance] != nil }
    package var revokedCount: Int { revoked.count }

    /// - Returns: false if the instance was revoked and must come back as a new one.
    package mutating func hello(_ instance: ServiceInstance, at now: UInt64) -> Bool {
        guard !revoked.contains(instance) else { return false }
        entries[instance, default: Entry(lastHeard: now)].lastHeard = now
        entries[instance]?.isGreeted = true
        return true
    }

    /// One that an earlier run knew: if it is gone since, it will be silent and is revoked like any other.
    /// - Returns: false if it was revoked already.
    package mutating func expect(_ instance: ServiceInstance, at now: UInt64) -> Bool {
        guard !revoked.contains(instance) else { return false }
        if entries[instance] == nil { entries[instance] = Entry(lastHeard: now) }
        return true
    }

    /// Any message of a frontend, on any of its sockets, shows that it lives.
    package mutating func heard(_ instance: ServiceInstance, at now: UInt64) -> Verdict {
        guard let index = entries.index(forKey: instance) else {
            return revoked.contains(instance) ? .revoked : .helloRequired
        }
        entries.values[index].lastHeard = now
        return entries.values[index].isGreeted ? .admitted : .helloRequired
    }

    /// A request came from this socket; its answer has to go there.
    package mutating func route(_ origin: RequestOrigin, lowestOpenNumber: UInt64, to peer: Peer) {
        guard let index = entries.index(forKey: origin.frontend) else { return }
        // One socket, as most frontends have: nothing to remember for each request.
        if entries.values[index].peers.first == peer { return }
        Self.addRoute(origin.number, lowestOpenNumber, to: peer, in: &entries.values[index])
    }

    /// Where the answer goes; nil if the frontend is not known any more. Asked once for each answer.
    package mutating func takeRoute(_ origin: RequestOrigin) -> Peer? {
        guard let index = entries.index(forKey: origin.frontend) else { return nil }
        let peers = entries.values[index].peers
        guard peers.count > 1, let place = entries.values[index].routes.removeValue(forKey: origin.number) else {
            return peers.first
        }
        return peers[place]
    }

    /// Revokes and returns the frontends that were silent too long.
    package mutating func revokeSilent(at now: UInt64) -> [ServiceInstance] {
        let silent = entries.filter { now &- $0.value.lastHeard >= silenceNanoseconds }.keys.sorted()
        for instance in silent {
            entries[instance] = nil
            revoked.insert(instance)
            revokedOrder.append(instance)
        }
        if revokedOrder.count > Self.revokedCapacity {
            let excess = revokedOrder.count - Self.revokedCapacity
            for old in revokedOrder.prefix(excess) { revoked.remove(old) }
            revokedOrder.removeFirst(excess)
        }
        return silent
    }

    /// What frontends said while this process stood still may not have reached it yet: their time starts again.
    package mutating func excuseSilence(at now: UInt64) {
        for index in entries.values.indices { entries.values[index].lastHeard = now }
    }

    /// When `revokeSilent` is due.
    package var nextDeadline: UInt64? { entries.values.lazy.map { $0.lastHeard + silenceNanoseconds }.min() }

    // A plain function on the entry, so that the table changes it in place.
    private static func addRoute(
        _ number: UInt64, _ lowestOpenNumber: UInt64, to peer: Peer, in entry: inout Entry
    ) {
        guard let place = entry.peers.firstIndex(of: peer) else {
            // A frontend with so many sockets is none of ours; its sockets are learnt anew.
            if entry.peers.count >= peerCapacity { entry.peers.removeAll() }
            if entry.peers.isEmpty { entry.routes.removeAll() } else { entry.routes[number] = entry.peers.count }
            entry.peers.append(peer)
            return
        }
        if entry.routes.count >= routeCapacity {
            entry.routes = entry.routes.filter { $0.key >= lowestOpenNumber }
        }
        entry.routes[number] = place
    }
}
