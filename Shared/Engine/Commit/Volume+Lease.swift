// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Who wrote a HEAD last, and the how manieth time: two HEADs of one commit differ in it, so that no tag comes back.
package struct LeaseRenewal: Hashable, Codable, Sendable {
    /// Drawn anew in each run of the cache manager: a copy of a machine has another from its first start on.
    package var run: LeaseRun
    package var number: UInt64
    package init(run: LeaseRun, number: UInt64) {
        self.run = run
        self.number = number
    }
}

/// Ownership by lease (STORAGE §3): whoever wrote HEAD owns the volume until the lease has passed since that write was
/// sent, and acknowledges nothing after that until it has written HEAD again. A taker waits until HEAD has stayed the
/// same for the whole lease by its own clock, which began later: so both never acknowledge at once.
struct Lease {
    let run: LeaseRun
    /// Earlier runs of this machine whose renewals may still land.
    var formerRuns: Set<LeaseRun>
    /// Renewals sent in this run.
    var number: UInt64 = 0
    let nanoseconds: UInt64
    var validUntil: UInt64 = 0
    var renewAt: UInt64 = 0
    var isLapsed = true
    /// How often it ran out before it was renewed, while the volume served.
    var lapseCount: UInt64 = 0
    /// HEAD that says so is on its way, or there: another gateway may take the volume at once.
    var isGivenUp = false
    /// Answers that may not go out before the lease is renewed.
    var withheld: [RequestOrigin: VolumeReply] = [:]

    init(milliseconds: UInt64, run: LeaseRun, formerRuns: [LeaseRun]) {
        nanoseconds = milliseconds * 1_000_000
        self.run = run
        self.formerRuns = Set(formerRuns)
    }

    /// Pauses between attempts, so that several fit into a lease.
    var longestPause: UInt64 { nanoseconds / 8 }

    /// What is withheld, in the requests' order.
    var answers: [(origin: RequestOrigin, answer: VolumeReply)] {
        withheld.sorted { ($0.key.frontend, $0.key.number) < ($1.key.frontend, $1.key.number) }
            .map { ($0.key, $0.value) }
    }

    /// What the next HEAD of this run is told apart by.
    mutating func nextRenewal() -> LeaseRenewal {
        number += 1
        return LeaseRenewal(run: run, number: number)
    }

    /// It was ours and ran out: until HEAD is written again, somebody else may have the volume.
    var isLost: Bool { isLapsed && validUntil > 0 }

    mutating func renewed(sentAt: UInt64) {
        guard !isGivenUp else { return }
        // A taker's clock may run a little faster than ours.
        validUntil = sentAt + nanoseconds / 8 * 7
        renewAt = sentAt + nanoseconds / 3
    }

    mutating func giveUp() {
        isGivenUp = true
        isLapsed = true
        validUntil = 0
    }

    /// Whether this machine has written a HEAD, perhaps without knowing that it landed.
    func isOurs(_ renewal: LeaseRenewal?, known: LeaseRenewal?) -> Bool {
        guard let renewal else { return true }
        return renewal == known || renewal.run == run || formerRuns.contains(renewal.run)
    }
}

extension Volume {
    /// Runs of this machine whose HEADs may still land, this one included: for the local state.
    var leaseRuns: [LeaseRun]? { lease.map { [$0.run] + $0.formerRuns.sorted() } }

    /// Under a lease: no other run than those of this machine has written this HEAD.
    func isWrittenHere(_ found: Head) -> Bool { lease?.isOurs(found.renewal, known: head.renewal) ?? true }

    /// Called before anything is answered.
    func updateLease(at time: EngineTime) {
        guard var lease else { return }
        let isLapsed = lease.validUntil <= time.nanoseconds
        if isLapsed, !lease.isLapsed, phase == .serving {
            lease.lapseCount += 1
            effects.append(.report(.leaseLapsed))
        }
        lease.isLapsed = isLapsed
        if !lease.isLapsed, !lease.withheld.isEmpty {
            for (origin, answer) in lease.answers { effects.append(.reply(origin, answer)) }
            lease.withheld = [:]
        }
        self.lease = lease
    }

    /// When HEAD is to be written again: after a third of the lease, unless that is about to happen anyway.
    var renewalDue: UInt64? {
        guard let lease, isAlive, canUpload, phase != .opening, !lease.isGivenUp,
            commitCallers.ending?.purpose != .tombstone,
            opening.lateCommits.isEmpty, !isHeadImminent
        else { return nil }
        return lease.renewAt
    }

    /// When it runs out unless it is renewed before: so that this is told at once, not with the next request.
    var lapseDue: UInt64? {
        guard let lease, !lease.isLapsed, isAlive else { return nil }
        return lease.validUntil
    }

    private var isHeadImminent: Bool {
        switch commit?.stage {
        case .intent: mayReplaceHead
        case .head: true
        case .packs, nil: false
        }
    }

    func advanceLease(at time: EngineTime) {
        guard let due = renewalDue, due <= time.nanoseconds, let headTag else { return }
        var renewed = head
        // A clean shutdown of the last run says that the volume may be taken at once.
        renewed.cleanShutdown = false
        publish(renewed, as: .renewal, under: .matches(headTag), at: time)
    }

    func renewalPublished(_ published: Head, _ tag: EntityTag, at time: EngineTime) {
        head.renewal = published.renewal
        head.cleanShutdown = published.cleanShutdown
        headTag = tag
        lease?.formerRuns = []
    }

    /// Nothing but HEAD is written while the lease is lost: whoever wakes up after its successor stores no packs.
    /// A deletion is the exception, since it does not renew.
    var mayStorePacks: Bool { lease?.isLost != true || commitCallers.ending?.purpose == .tombstone }

    /// When to look again whether it was renewed.
    var leasePause: UInt64 { lease?.longestPause ?? 0 }

    /// No lease outlives its owner's end.
    func dropLease(answering answer: VolumeReply) {
        for (origin, _) in lease?.answers ?? [] { effects.append(.reply(origin, answer)) }
        lease?.withheld = [:]
    }
}
