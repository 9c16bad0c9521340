// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// When a commit is cut, and what is in it.
extension Volume {
    /// Commits everything acknowledged so far; answered with `Effect.finished` when it is in the bucket.
    package func commit(caller: CallerToken, at time: EngineTime) {
        guard isAlive, commitCallers.ending == nil else { return refuse(caller) }
        if phase == .opening {
            commitCallers.next.append(caller)
        } else if active.isEmpty, frozen.isEmpty {
            effects.append(.finished(caller, .success(head)))
        } else if active.isEmpty {
            commitCallers.frozen[commitCallers.frozen.count - 1].append(caller)
        } else {
            commitCallers.next.append(caller)
        }
        pump(time)
    }

    /// Commits what is dirty, marks HEAD as cleanly shut down, then refuses everything.
    package func stop(caller: CallerToken, at time: EngineTime) { end(caller, .cleanShutdown, at: time) }

    /// Marks the volume deleted in the bucket; nothing else is uploaded.
    package func delete(caller: CallerToken, at time: EngineTime) { end(caller, .tombstone, at: time) }

    private func end(_ caller: CallerToken, _ purpose: Commit.Purpose, at time: EngineTime) {
        guard isAlive, commitCallers.ending == nil else { return refuse(caller) }
        commitCallers.ending = CommitCallers.Ending(
            caller: caller, purpose: purpose, foldDeadline: time.nanoseconds + limits.stopFoldNanoseconds)
        if phase == .serving { phase = .stopping }
        pump(time)
    }

    private func refuse(_ caller: CallerToken) { effects.append(.finished(caller, .failure(refusal))) }

    /// Why nothing can be asked of the volume any more.
    var refusal: VolumeFailure {
        switch phase {
        case .fenced(let reason): .fenced(reason)
        case .failed(let reason): .journalFailed(reason)
        case .opening, .serving, .stopping, .stopped: .stopped
        }
    }

    /// When the open epoch is to be cut although nobody asks.
    var commitDue: UInt64? {
        guard phase == .serving, !active.isEmpty, frozen.isEmpty else { return nil }
        return activeSince + UInt64(head.commitIntervalSeconds) * 1_000_000_000
    }

    private func isCutDue(at time: EngineTime) -> Bool {
        guard !active.isEmpty else { return false }
        if !commitCallers.next.isEmpty { return frozen.count < CutState.frozenLayerLimit }
        guard frozen.isEmpty else { return false }
        if let due = commitDue, due <= time.nanoseconds { return true }
        // Many overwrites fill the journal although little is dirty.
        return active.entryCount >= limits.commitBlockCount || bufferFill >= 0.5
            || (!held.isEmpty && cuts.writesHeldUntil == nil) || phase == .stopping
    }

    /// Freezes the active layer at the last published record.
    func freeze(at time: EngineTime) {
        active.cutMilliseconds = time.wallMilliseconds
        frozen.append(active)
        active = DirtyLayer()
        commitCallers.frozen.append(commitCallers.next)
        commitCallers.next = []
    }

    /// Cuts, begins and carries on commits as far as possible now.
    func advanceCommit(at time: EngineTime) {
        if isCutDue(at: time) { freeze(at: time) }
        if active.isEmpty, !commitCallers.next.isEmpty {
            // Everything they asked for is on its way or was committed meanwhile.
            if let last = commitCallers.frozen.indices.last {
                commitCallers.frozen[last] += commitCallers.next
            } else {
                for caller in commitCallers.next { effects.append(.finished(caller, .success(head))) }
            }
            commitCallers.next = []
        }
        advanceFold(at: time)
        hastenFold()
        if commit == nil, canUpload { beginCommit(at: time) }
        guard commit != nil else { return }
        startPacks()
        finishStage(at: time)
    }

    var canUpload: Bool {
        start != nil && opening.isHeadVerified && map.missingDirectories.isEmpty && publication == nil
    }

    private func beginCommit(at time: EngineTime) {
        if let ending = commitCallers.ending, ending.purpose == .tombstone {
            return begin(.tombstone, at: time)
        }
        if let layer = frozen.first { return begin(.epoch, PackDivision(of: layer, limits: limits), at: time) }
        if active.isEmpty || lease != nil, !opening.lateCommits.isEmpty {
            return begin(.settling, at: time)
        }
        if mayAmend { return begin(.amendment, at: time) }
        if active.isEmpty, foldRun?.root != nil, commitCallers.ending == nil {
            return begin(.fold, at: time)
        }
        guard let ending = commitCallers.ending, active.isEmpty, inProgress.isEmpty, !journal.hasUnpublished,
            durabilityWaiters.isEmpty
        else { return }
        if holdsEnd(ending, at: time) { return }
        if head.cleanShutdown, foldRun?.root == nil {
            finishEnding(ending.caller)
        } else {
            begin(.cleanShutdown, at: time)
        }
    }

    private func begin(_ purpose: Commit.Purpose, _ packs: PackDivision = .none, at time: EngineTime) {
        let layer = purpose == .epoch ? frozen.first : nil
        commit = Commit(
            purpose: purpose, id: random.commitID(), sequence: layer?.lastSequence ?? head.journalSequence,
            cutMilliseconds: layer?.cutMilliseconds ?? head.cutMilliseconds,
            startedAt: time.nanoseconds, packs: packs)
    }

    func finishEnding(_ caller: CallerToken) {
        phase = .stopped
        commitCallers.ending = nil
        effects.append(.finished(caller, .success(head)))
        commitCallers.failAll(.stopped, &effects)
        failAmendments(.stopped)
    }
}
