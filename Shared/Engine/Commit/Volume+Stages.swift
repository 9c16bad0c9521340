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
            let isStored = commit.stored.count == commit.builds.count
            let isMutant = mutants.contains(.publishHeadBeforePacks) && commit.nextBuild == commit.builds.count
            guard isStored || isMutant && !commit.builds.contains(where: { $0.name == nil }) else { return }
            if commit.purpose == .epoch, isFoldDue {
                beginFold(at: time)
            } else {
                declareIntent()
            }
        case .fold: return
        case .intent(let sequence?) where sequence <= journal.syncedSequence || mutants.contains(.skipIntentSync):
            guard mayReplaceHead else { return }
            publishHead(at: time)
        case .intent, .head: return
        }
    }

    private var references: [PackReference] {
        guard let commit else { return [] }
        return commit.builds.compactMap { build in
            commit.stored[build.index]?.reference
                ?? build.name.map {
                    // Only a broken rule gets here: the pack is named before it is stored.
                    PackReference(
                        owner: head.volume, name: $0, byteCount: UInt64(PackFooter.byteCount) + 64, directoryOffset: 0,
                        directoryByteCount: 64)
                }
        }
    }

    private var isFoldDue: Bool {
        guard let commit else { return false }
        return map.root.packs.count + commit.builds.count > limits.foldPackCount
            || map.unfoldedCommitCount + 1 >= limits.foldCommitCount
    }

    // MARK: Fold

    private func beginFold(at time: EngineTime) {
        guard let commit else { return }
        self.commit?.stage = .fold
        do throws(EngineError) {
            let fold = try Fold(
                of: map, adding: commit.storedPacks, volume: head.volume, foldNumber: head.foldNumber + 1,
                mapPackByteCount: limits.mapPackByteCount, nextPackName: { [unowned self] in nextPackName() })
            self.commit?.fold = fold
            perform(try fold.next(), of: fold)
        } catch {
            delayFold("the map cannot be folded: \(error)")
        }
    }

    /// Fetches and stores what the fold asks for until it has a new root.
    private func perform(_ step: Fold.Step, of fold: Fold) {
        switch step {
        case .fetch(let nodes):
            commit?.foldFetches = nodes.count
            for node in nodes { fetch(.foldNode(node)) }
        case .put(_, let key, let bytes):
            let token = effects.nextToken()
            commit?.mapPackToken = token
            statisticsCounters.uploadedByteCount += UInt64(bytes.count)
            effects.append(.putObject(token, key, bytes, .absent))
        case .done(let root, _):
            commit?.foldedRoot = root
            commit?.fold = nil
            commit?.delayReason = nil
            declareIntent()
        }
    }

    private func continueFold(_ fold: Fold) {
        do throws(EngineError) { perform(try fold.next(), of: fold) } catch {
            delayFold("the map cannot be folded: \(error)")
        }
    }

    /// A node that the fold asked for. Throws if the bytes are not that node.
    func supplyFold(_ bytes: [UInt8], at node: NodePointer) throws(EngineError) {
        guard let fold = commit?.fold else { return }
        try fold.supply(node: bytes, at: node)
        commit?.foldFetches -= 1
        if commit?.foldFetches == 0 { continueFold(fold) }
    }

    private func mapPackStored(_ result: Result<EntityTag, BucketFailure>, at time: EngineTime) {
        guard let fold = commit?.fold else { return }
        commit?.mapPackToken = nil
        switch result {
        case .success:
            fold.stored()
            commit?.foldFailures = 0
            continueFold(fold)
        case .failure(let failure):
            delayFold("map packs cannot be stored: \(failure)")
            let failures = commit?.foldFailures ?? 0
            commit?.foldFailures = failures + 1
            later(.mapPack, after: backoff(failures), at: time)
        }
    }

    /// Each attempt takes another name, because the last one may still arrive.
    func retryMapPack() {
        guard let fold = commit?.fold, commit?.mapPackToken == nil, commit?.foldFetches == 0 else { return }
        do throws(EngineError) { perform(try fold.reissue(), of: fold) } catch {
            delayFold("the map cannot be folded: \(error)")
        }
    }

    private func delayFold(_ reason: String) {
        commit?.delayReason = reason
        effects.append(.report(.commitDelayed(reason)))
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
        if let root = commit.foldedRoot {
            new.root = root
            new.foldNumber += 1
        } else {
            new.root.packs += references
        }
        self.commit?.newHead = new
        self.commit?.stage = .head
        publish(new, under: .matches(headTag), at: time)
    }

    /// HEAD names the commit: what was frozen is clean.
    func commitPublished(_ tag: EntityTag, at time: EngineTime) {
        guard let commit, let new = commit.newHead else { return }
        headTag = tag
        head = new
        if let root = commit.foldedRoot {
            map.install(root, foldNumber: new.foldNumber)
            effects.append(.report(.folded(number: new.foldNumber)))
        } else {
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
        effects.append(.report(.committed(number: new.commitNumber, bytes: bytes, packs: commit.builds.count)))
        for caller in commitCallers.frozen.removeFirst() { effects.append(.finished(caller, .success(new))) }
    }

    func objectStored(_ token: EffectToken, _ result: Result<EntityTag, BucketFailure>, at time: EngineTime) {
        if token == commit?.mapPackToken {
            mapPackStored(result, at: time)
        } else if token == publication?.token {
            headAnswered(result, at: time)
        }
    }
}
