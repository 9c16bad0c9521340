// SPDX-License-Identifier: Apache-2.0
import Wire

/// A change of settings that somebody waits for.
struct Amendment {
    let change: HeadChange
    let caller: CallerToken
    /// Nobody waits longer for HEAD to be sent with it; once sent, it waits for what becomes of that.
    let deadline: UInt64
    /// The commit whose HEAD has it, once that was sent.
    var commit: CommitID?
    /// Of that HEAD, once it has landed.
    var commitNumber: UInt64?

    var isPublished: Bool { commitNumber != nil }
    /// Whether a HEAD of this number has it.
    func isIn(_ number: UInt64) -> Bool { commitNumber.map { $0 <= number } ?? false }
}

/// Changes of settings on their way: in HEAD first, then in the local state, then in effect. A volume that acted on
/// them before could forget them in a crash, and stand there with writes beyond its end.
struct AmendmentState {
    /// In the order of the calls. One HEAD takes all that wait.
    var waiting: [Amendment] = []
    /// In effect, and told to nobody yet: until the journal is durable up to here.
    var announcement: (sequence: JournalSequence, head: Head)?

    var isAnyUnsent: Bool { waiting.contains { $0.commit == nil } }
    var deadline: UInt64? { waiting.lazy.filter { $0.commit == nil }.map(\.deadline).min() }
}

extension Volume {
    /// Changes settings of the volume, answered with `Effect.finished` when they are in HEAD, would survive a crash and
    /// are in effect, or when they will not be. Calls take effect in their order; several may share one HEAD. They wait
    /// behind cuts that were not kept yet, so that a snapshot has the size and name of its time.
    package func amend(_ change: HeadChange, caller: CallerToken, at time: EngineTime) {
        guard isAlive, commitCallers.ending == nil else {
            return effects.append(.finished(caller, .failure(refusal)))
        }
        var planned = head.settings
        for amendment in amendments.waiting {
            if case .success(let next) = amendment.change.applied(to: planned, growthUnit: limits.growthByteCount) {
                planned = next
            }
        }
        switch change.applied(to: planned, growthUnit: limits.growthByteCount) {
        case .failure(let failure): return effects.append(.finished(caller, .failure(failure)))
        case .success(let settings)
        where settings == self.settings && amendments.waiting.isEmpty && planned == settings:
            return effects.append(.finished(caller, .success(head)))
        case .success: break
        }
        amendments.waiting.append(
            Amendment(change: change, caller: caller, deadline: time.nanoseconds + limits.amendNanoseconds))
        pump(time)
    }

    /// Whether HEAD may be sent with the changes that wait.
    var mayAmend: Bool { amendments.isAnyUnsent && cuts.unkept.isEmpty }

    /// The settings for a HEAD of this commit, with all changes that are not in HEAD yet.
    func amended(_ settings: HeadSettings, by commit: Commit) -> HeadSettings {
        guard commit.purpose != .tombstone, cuts.unkept.isEmpty else { return settings }
        var new = settings
        var refused: [(caller: CallerToken, failure: VolumeFailure)] = []
        for index in amendments.waiting.indices where !amendments.waiting[index].isPublished {
            switch amendments.waiting[index].change.applied(to: new, growthUnit: limits.growthByteCount) {
            case .success(let next):
                new = next
                amendments.waiting[index].commit = commit.id
            case .failure(let failure): refused.append((amendments.waiting[index].caller, failure))
            }
        }
        for (caller, failure) in refused {
            amendments.waiting.removeAll { $0.caller == caller }
            effects.append(.finished(caller, .failure(failure)))
        }
        return new
    }

    /// The HEAD of this commit is in the bucket.
    func amendmentsPublished(with commit: CommitID) {
        for index in amendments.waiting.indices where amendments.waiting[index].commit == commit {
            amendments.waiting[index].commitNumber = head.commitNumber
        }
        if mutants.contains(.amendBeforeSaved) { takeEffect(head) }
    }

    /// HEAD of an earlier run landed after all: what it says holds, though its caller was never told.
    func adoptSettings(of found: Head) {
        head.settings = found.settings
        map.grow(toByteCount: head.byteCount)
    }

    /// The local state with this HEAD is durable.
    func takeEffect(_ saved: Head) {
        let old = settings
        settings = saved.settings
        guard settings != old || amendments.waiting.contains(where: { $0.isIn(saved.commitNumber) }) else { return }
        var sequence = amendments.announcement?.sequence ?? .zero
        if settings.durability == "always", old.durability != "always" {
            // Initiators that are told that every write is durable do not flush what they wrote before.
            sequence = journal.publishedSequence
        }
        amendments.announcement = (sequence, saved)
        announceSettings()
    }

    /// Tells that settings are in effect, once what they promise holds.
    func announceSettings() {
        guard let announcement = amendments.announcement else { return }
        guard announcement.sequence <= journal.syncedSequence else {
            return journal.wantSync(through: announcement.sequence)
        }
        amendments.announcement = nil
        effects.append(.settingsChanged(announcement.head))
        let number = announcement.head.commitNumber
        for amendment in amendments.waiting where amendment.isIn(number) {
            effects.append(.finished(amendment.caller, .success(announcement.head)))
        }
        amendments.waiting.removeAll { $0.isIn(number) }
    }

    /// Every write is durable from now on, but what was written before is not yet: nobody is to rely on it.
    package var isDurabilityPending: Bool {
        amendments.announcement.map { $0.sequence > journal.syncedSequence } ?? false
    }

    /// Nobody waits for ever for a bucket that is away.
    func expireAmendments(at time: EngineTime) {
        guard let deadline = amendments.deadline, deadline <= time.nanoseconds else { return }
        let reason = commit?.delayReason ?? opening.delayReason ?? "HEAD could not be written in time"
        for amendment in amendments.waiting where amendment.commit == nil && amendment.deadline <= time.nanoseconds {
            effects.append(.finished(amendment.caller, .failure(.bucketUnavailable(reason))))
        }
        amendments.waiting.removeAll { $0.commit == nil && $0.deadline <= time.nanoseconds }
    }

    func failAmendments(_ failure: VolumeFailure) {
        for amendment in amendments.waiting {
            effects.append(.finished(amendment.caller, amendment.isPublished ? .success(head) : .failure(failure)))
        }
        amendments = AmendmentState()
    }
}
