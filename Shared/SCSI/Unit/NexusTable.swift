// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The I_T nexuses that a unit knows: with a session now, or lately without one.
package struct NexusTable: Equatable, Sendable {
    package struct Nexus: Equatable, Sendable {
        /// "iqn...,i,0x" and the ISID; empty for a nexus that was in use before it was announced.
        package let port: String
        /// The part of `port` before the ISID; nil if there is none.
        package let initiatorName: String?
        /// What admitted the session, in the frontend's words, which are only compared; empty: nothing was asked for.
        /// Nil when it is not known, which is nobody's.
        package let access: String?
        /// The frontend that has the session.
        package internal(set) var frontend: ServiceInstance
        package internal(set) var attentions: UnitAttentionQueue
        /// Its PREVENT ALLOW MEDIUM REMOVAL.
        package internal(set) var preventsRemoval = false
        package internal(set) var copies = CopyResults()

        init(
            port: String, access: String?, frontend: ServiceInstance, attentions: UnitAttentionQueue,
            preventsRemoval: Bool = false, copies: CopyResults = CopyResults()
        ) {
            let port = NexusTable.checked(port)
            self.port = port
            initiatorName = port.ranges(of: ",i,0x").last.map { String(port[..<$0.lowerBound]) }
            self.access = access.flatMap { $0.utf8.count <= NexusTable.maximumAccessByteCount ? $0 : nil }
            self.frontend = frontend
            self.attentions = attentions
            self.preventsRemoval = preventsRemoval
            self.copies = copies
        }
    }

    package static let maximumAttachedCount = 1024
    package static let maximumLostCount = 256
    /// Of what admitted a session. What is longer is not known.
    static let maximumAccessByteCount = 1024
    /// What RFC 7143 allows a name, and the ISID behind it.
    static let maximumPortByteCount = 223 + ",i,0x000000000000".utf8.count

    package private(set) var attached: [NexusID: Nexus] = [:]
    /// Of those that have a unit attention pending; kept so that no command looks for them.
    private var attentiveCount = 0
    /// Oldest first; remembered only so that one that returns is told of its loss.
    package internal(set) var lost: [NexusID] = []

    package init() {}

    init(attached: [NexusID: Nexus], lost: [NexusID]) {
        self.attached = attached
        self.lost = lost.suffix(Self.maximumLostCount)
        attentiveCount = attached.values.count { !$0.attentions.isEmpty }
    }

    package var isFull: Bool { attached.count >= Self.maximumAttachedCount }
    var hasAttentions: Bool { attentiveCount > 0 }
    var preventsRemoval: Bool { attached.values.contains { $0.preventsRemoval } }

    /// A new session of the nexus. False when there are too many.
    mutating func attach(
        _ nexus: NexusID, port: String, access: String, through frontend: ServiceInstance
    ) -> Bool {
        guard attached[nexus] != nil || !isFull else { return false }
        var attention = UnitAttention.powerOnOccurred
        if let former = attached[nexus] {
            // Being powered on says more than a loss, until it has been told.
            attention = former.attentions.contains(.powerOnOccurred) ? .powerOnOccurred : .nexusLossOccurred
        } else if let position = lost.firstIndex(of: nexus) {
            lost.remove(at: position)
            attention = .nexusLossOccurred
        }
        let former = attached.updateValue(
            Nexus(
                port: port, access: access, frontend: frontend, attentions: UnitAttentionQueue(first: attention)),
            forKey: nexus)
        if former?.attentions.isEmpty ?? true { attentiveCount += 1 }
        return true
    }

    /// A nexus whose session went on while the table was lost, so that nothing happened to it. False when there are too
    /// many, for one whose session has ended, since a command that comes late must not bring it back, and for one that
    /// has its session through another frontend now.
    mutating func takeIn(_ nexus: NexusID, through frontend: ServiceInstance) -> Bool {
        if let owner = attached[nexus]?.frontend { return owner == frontend }
        guard !isFull, !lost.contains(nexus) else { return false }
        attached[nexus] = Nexus(
            port: "", access: nil, frontend: frontend, attentions: UnitAttentionQueue(codes: []))
        return true
    }

    mutating func lose(_ nexus: NexusID) {
        guard let former = attached.removeValue(forKey: nexus) else { return }
        if !former.attentions.isEmpty { attentiveCount -= 1 }
        lost.append(nexus)
        if lost.count > Self.maximumLostCount { lost.removeFirst() }
    }

    mutating func post(_ attention: UnitAttention, except issuer: NexusID? = nil) {
        post(attention, to: attached.keys.filter { $0 != issuer })
    }

    /// Those without a session learn of their loss instead when they return.
    mutating func post(_ attention: UnitAttention, to nexuses: [NexusID]) {
        for nexus in nexuses {
            guard let wasEmpty = attached[nexus]?.attentions.isEmpty else { continue }
            if wasEmpty { attentiveCount += 1 }
            attached[nexus]?.attentions.post(attention)
        }
    }

    mutating func takeAttention(of nexus: NexusID) -> UnitAttention? {
        guard hasAttentions, let attention = attached[nexus]?.attentions.takeFirst() else { return nil }
        if attached[nexus]?.attentions.isEmpty ?? false { attentiveCount -= 1 }
        return attention
    }

    mutating func setPreventsRemoval(_ prevents: Bool, by nexus: NexusID) {
        attached[nexus]?.preventsRemoval = prevents
    }

    mutating func record(_ entry: CopyResults.Entry, of nexus: NexusID) { attached[nexus]?.copies.record(entry) }

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
