// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The I_T nexuses that a unit knows: with a session now, or lately without one.
package struct NexusTable: Equatable, Sendable {
    package struct Nexus: Equatable, Sendable {
        /// "iqn...,i,0x" and the ISID; empty for a nexus that was in use before it was announced.
        package var port: String
        /// The frontend that has the session.
        package internal(set) var frontend: ServiceInstance
        package internal(set) var attentions: UnitAttentionQueue
        /// Its PREVENT ALLOW MEDIUM REMOVAL.
        package internal(set) var preventsRemoval = false
        package internal(set) var copies = CopyResults()
    }

    package static let maximumAttachedCount = 1024
    package static let maximumLostCount = 256
    /// What RFC 7143 allows a name, and the ISID behind it.
    static let maximumPortByteCount = 223 + ",i,0x000000000000".utf8.count

    package internal(set) var attached: [NexusID: Nexus] = [:]
    /// Oldest first; remembered only so that one that returns is told of its loss.
    package internal(set) var lost: [NexusID] = []

    package init() {}

    package var isFull: Bool { attached.count >= Self.maximumAttachedCount }
    var hasAttentions: Bool { attached.values.contains { !$0.attentions.isEmpty } }
    var preventsRemoval: Bool { attached.values.contains { $0.preventsRemoval } }

    /// A new session of the nexus. False when there are too many.
    mutating func attach(_ nexus: NexusID, port: String, through frontend: ServiceInstance) -> Bool {
        guard attached[nexus] != nil || !isFull else { return false }
        var attention = UnitAttention.powerOnOccurred
        if let former = attached[nexus] {
            // Being powered on says more than a loss, until it has been told.
            attention = former.attentions.contains(.powerOnOccurred) ? .powerOnOccurred : .nexusLossOccurred
        } else if let position = lost.firstIndex(of: nexus) {
            lost.remove(at: position)
            attention = .nexusLossOccurred
        }
        attached[nexus] = Nexus(
            port: Self.checked(port), frontend: frontend, attentions: UnitAttentionQueue(first: attention))
        return true
    }

    /// A nexus whose session went on while the table was lost, so that nothing happened to it. False when there are too
    /// many, and for one whose session has ended: a command that comes late must not bring it back.
    mutating func takeIn(_ nexus: NexusID, through frontend: ServiceInstance) -> Bool {
        if attached[nexus] != nil { return true }
        guard !isFull, !lost.contains(nexus) else { return false }
        attached[nexus] = Nexus(port: "", frontend: frontend, attentions: UnitAttentionQueue(codes: []))
        return true
    }

    mutating func lose(_ nexus: NexusID) {
        guard attached.removeValue(forKey: nexus) != nil else { return }
        lost.append(nexus)
        if lost.count > Self.maximumLostCount { lost.removeFirst() }
    }

    mutating func post(_ attention: UnitAttention, except issuer: NexusID? = nil) {
        for nexus in attached.keys where nexus != issuer { attached[nexus]?.attentions.post(attention) }
    }

    /// Those without a session learn of their loss instead when they return.
    mutating func post(_ attention: UnitAttention, to nexuses: [NexusID]) {
        for nexus in nexuses { attached[nexus]?.attentions.post(attention) }
    }

    mutating func allowRemoval() {
        for nexus in attached.keys { attached[nexus]?.preventsRemoval = false }
    }

    mutating func dropCopies() {
        for nexus in attached.keys { attached[nexus]?.copies = CopyResults() }
    }

    /// A name that is longer than names can be is none.
    static func checked(_ port: String) -> String {
        port.utf8.count <= maximumPortByteCount ? port : ""
    }
}
