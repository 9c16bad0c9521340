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
                        owner: head.volume, name: $0, byteCount: 0, directoryOffset: 0, directoryByteCount: 0)
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
        let fold = Fold(
            map: map, adding: commit.storedPacks, volume: head.volume, foldNumber: head.foldNumber + 1,
            mapPackByteCount: limits.mapPackByteCount)
        self.commit?.fold = fold
        self.commit?.stage = .fold
        continueFold(fold, at: time)
    }

    /// Fetches and stores what the fold asks for, one step at a time, until it has a new root.
    func continueFold(_ fold: Fold, at time: EngineTime) {
        guard commit?.stage == .fold, mapPackPut == nil else { return }
        do throws(EngineError) {
            switch try fold.step(nextName: nextPackName) {
            case .fetch(let nodes):
                for node in nodes where fetches.nodes[node] == nil {
                    fetches.nodes[node] = []
                    fetch(.node(node))
                }
            case .put(let name, let bytes):
                putMapPack(MapPackPut(name: name, bytes: bytes, failures: 0))
            case .done(let root):
                commit?.foldedRoot = root
                commit?.fold = nil
                declareIntent()
            }
        } catch {
            commit?.delayReason = "the map cannot be folded: \(error)"
            effects.append(.report(.commitDelayed("\(error)")))
        }
    }

    private func putMapPack(_ put: MapPackPut) {
        let token = effects.nextToken()
        mapPackPut = put
        mapPackToken = token
        effects.append(.putObject(token, BucketLayout.mapPack(head.volume, put.name), put.bytes, .absent))
    }

    private func mapPackStored(_ result: Result<EntityTag, BucketFailure>, at time: EngineTime) {
        guard let put = mapPackPut else { return }
        mapPackToken = nil
        switch result {
        case .success:
            statisticsCounters.uploadedByteCount += UInt64(put.bytes.count)
            mapPackPut = nil
            guard let fold = commit?.fold else { return }
            fold.stored(put.name)
            continueFold(fold, at: time)
        case .failure(let failure):
            commit?.delayReason = "map packs cannot be stored: \(failure)"
            mapPackPut?.failures += 1
            later(.mapPack, after: backoff(put.failures), at: time)
        }
    }

    /// Nodes already name the pack, so a map pack is tried again under its name: the bytes are the same.
    func retryMapPack() {
        guard let put = mapPackPut, commit != nil else { return }
        let token = effects.nextToken()
        mapPackToken = token
        effects.append(.putObject(token, BucketLayout.mapPack(head.volume, put.name), put.bytes, .none))
    }

    // MARK: Intent and HEAD

    private func declareIntent() {
        guard let commit else { return }
        self.commit?.stage = .intent(nil)
        journal.appendIntent(
            CommitIntent(
                commit: commit.id, commitNumber: head.commitNumber + 1, sequence: commit.sequence,
                packs: references.map(\.name)
            ).encoded())
    }

    func intentPublished(_ sequence: JournalSequence) {
        guard case .intent(nil) = commit?.stage else { return }
        commit?.stage = .intent(sequence)
        if !mutants.contains(.skipIntentSync) { journal.wantSync(through: sequence) }
    }

    private func publishHead(at time: EngineTime) {
        guard let commit, let headTag else { return }
        var new = head
        new.commit = commit.id
        new.commitNumber += 1
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
        isEndPublished = commit.purpose != .epoch
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
        if token == mapPackToken {
            mapPackStored(result, at: time)
        } else if token == publication?.token {
            headAnswered(result, at: time)
        }
    }
}

/// A map pack on its way.
struct MapPackPut {
    var name: PackName
    var bytes: [UInt8]
    var failures: Int
}
