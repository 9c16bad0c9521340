// SPDX-License-Identifier: Apache-2.0

/// Which peer speaks on each connection of a server, to name the peer when ZeroMQ reports that a connection ended: its
/// report knows descriptors only, and its messages tell the descriptor on which they came.
///
/// Messages and reports come on separate ways, and the kernel gives a closed descriptor to the next connection. So a
/// peer can be called gone that is not: one that took the descriptor and was heard before the report about the former
/// owner was read. And one that never said anything cannot be named at all. Both are harmless where a peer that is
/// called gone and lives is taken back with its next message, and where silence tells in the end as well.
package struct PeerConnections {
    /// By descriptor, which the process's limit bounds.
    private var peers: [PeerIdentity?] = []
    /// Whose connection ended; told when what they sent before has been received.
    private var ending: [(peer: PeerIdentity, descriptor: Int32)] = []

    package init() {}

    /// For each message, so no more than a look as long as nothing changes.
    package mutating func heard(_ peer: PeerIdentity, on descriptor: Int32?) {
        guard let descriptor, descriptor >= 0 else { return }
        let index = Int(descriptor)
        if index < peers.count, peers[index] == peer { return }
        while peers.count <= index { peers.append(nil) }
        // The former owner's connection must have ended for another to have its descriptor.
        if let former = peers[index] { ending.append((former, descriptor)) }
        peers[index] = peer
    }

    package mutating func ended(_ descriptor: Int32) {
        let index = Int(descriptor)
        guard peers.indices.contains(index), let peer = peers[index] else { return }
        peers[index] = nil
        ending.append((peer, descriptor))
    }

    /// Once everything that waited was received. A peer that has another connection by then is not gone.
    package mutating func takeGone() -> [PeerIdentity] {
        guard !ending.isEmpty else { return [] }
        let taken = ending
        ending = []
        var gone: [PeerIdentity] = []
        for (peer, descriptor) in taken {
            // Messages from before the end were received after the report of it.
            if peers[Int(descriptor)] == peer { peers[Int(descriptor)] = nil }
            if !peers.contains(peer), !gone.contains(peer) { gone.append(peer) }
        }
        return gone
    }
}
