// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// From stored packs to a published HEAD (STORAGE §3, steps 4-7).
extension Volume {
    /// Goes on to the commit's next stage when the current one is done.
    func finishStage(at time: EngineTime) {
        guard let commit else { return }
        switch commit.stage {
        case .packs:
            let isStored = commit.stored.count == commit.packs.packCount
            let isMutant = mutants.contains(.publishHeadBeforePacks) && commit.nextPack == commit.packs.packCount
            guard isStored || isMutant && !commit.builds.values.contains(where: { $0.name == nil }) else { return }
            guard commit.purpose != .epoch || !isFoldOverdue || foldRun?.root != nil else {
                self.commit?.delayReason = "the map has to be folded first" + (foldProblem.map { ": \($0)" } ?? "")
                return
            }
            declareIntent()
        case .intent(let sequence?) where sequence <= journal.syncedSequence || mutants.contains(.skipIntentSync):
            // A renewal of the lease may be on its way; its version is what this HEAD replaces.
            guard publication == nil, mayReplaceHead else { return }
            publishHead(at: time)
        case .intent, .head: return
        }
    }

    private var references: [PackReference] {
        guard let commit else { return [] }
        return (0..<commit.packs.packCount).compactMap { index in
            commit.stored[index]?.reference
                ?? commit.builds[index]?.name.map {
                    // Only a broken rule gets here: the pack is named before it is stored.
                    PackReference(
                        owner: head.volume, name: $0, byteCount: UInt64(PackFooter.byteCount) + 64, directoryOffset: 0,
                        directoryByteCount: 64)
                }
        }
    }

    // MARK: Intent and HEAD

    func declareIntent() {
        guard let commit else { return }
        self.commit?.stage = .intent(nil)
        journal.appendIntent(
            CommitIntent(
                commit: commit.id, commitNumber: nextCommitNumber, sequence: commit.sequence,
                packs: references.map(\.name)
            ).encoded())
    }

    private var nextCommitNumber: UInt64 { max(head.commitNumber, opening.landedCommitNumber) + 1 }

    func intentPublished(_ sequence: JournalSequence) {
        guard case .intent(nil) = commit?.stage else { return }
        commit?.stage = .intent(sequence)
        commit?.intentSequence = sequence
        if !mutants.contains(.skipIntentSync) { journal.wantSync(through: sequence) }
    }

    private func publishHead(at time: EngineTime) {
        guard let commit, let headTag else { return }
        var new = head
        new.commit = commit.id
        new.commitNumber = nextCommitNumber
        new.journalSequence = commit.sequence
        new.cutMilliseconds = commit.cutMilliseconds
        new.cleanShutdown = commit.purpose == .cleanShutdown
        if commit.purpose == .tombstone { new.state = .deleted }
        if let folded = foldRun?.root {
            new.root = map.root(folded: folded)
            new.foldNumber += 1
        }
        new.root.packs += references
        new.settings = amended(new.settings, by: commit)
        self.commit?.stage = .head
        if new.cleanShutdown { lease?.giveUp() }
        publish(new, as: .commit, under: .matches(headTag), at: time)
    }

    /// HEAD names the commit: what was frozen is clean.
    func commitPublished(_ new: Head, _ tag: EntityTag, at time: EngineTime) {
        guard let commit else { return }
        headTag = tag
        lease?.formerRuns = []
        head = new
        map.grow(toByteCount: head.byteCount)
        amendmentsPublished(with: commit.id)
        if new.foldNumber > map.foldNumber, let folded = foldRun?.root {
            map.install(folded, foldNumber: new.foldNumber)
            foldRun = nil
            effects.append(.report(.folded(number: new.foldNumber)))
        }
        if !commit.storedPacks.isEmpty {
            imageNumber += 1
            if map.unfoldedPackCount == 0 { unfoldedSince = time.nanoseconds }
            do throws(EngineError) { try map.apply(commit.storedPacks) } catch {
                return fail("a stored pack's directory does not fit the volume: \(error)")
            }
        }
        self.commit = nil
        opening.lateCommits = []
        settledIntent = commit.intentSequence
        isEndPublished = commit.purpose == .cleanShutdown || commit.purpose == .tombstone
        statisticsCounters.commitCount += 1
        defer { saveState() }
        guard commit.purpose == .epoch else { return }
        cleanThrough = new.journalSequence
        let layer = frozen.removeFirst()
        absorb(layer)
        let bytes = commit.storedPacks.reduce(0) { $0 + $1.reference.byteCount }
        backPressure.didCommit(
            byteCount: UInt64(layer.blockCount) * UInt64(Geometry.blockByteCount),
            nanoseconds: time.nanoseconds - commit.startedAt)
        effects.append(.report(.committed(number: new.commitNumber, bytes: bytes, packs: commit.storedPacks.count)))
        for caller in commitCallers.frozen.removeFirst() { effects.append(.finished(caller, .success(new))) }
    }

    func objectStored(_ token: EffectToken, _ result: Result<EntityTag, BucketFailure>, at time: EngineTime) {
        if token == foldRun?.packToken {
            mapPackStored(result, at: time)
        } else if token == publication?.token {
            headAnswered(result, at: time)
        }
    }
}
