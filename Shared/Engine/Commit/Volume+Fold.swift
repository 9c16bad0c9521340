// SPDX-License-Identifier: Apache-2.0
import Wire

/// A fold on its way, beside the commits (STORAGE §3): the next HEAD installs what it made.
struct FoldRun {
    let fold: Fold
    /// The map pack that it waits for.
    var packToken: EffectToken?
    var failures = 0
    /// Somebody waits for it: what it reads does not stand back behind other reads any more.
    var isUrgent = false
    /// Tree and pack table, once it is done.
    var root: ImageRoot?
}

extension Volume {
    /// When a fold is due although little was committed: something has been unfolded for long.
    var foldDue: UInt64? {
        guard canFold, map.unfoldedPackCount > 0 else { return nil }
        return unfoldedSince + limits.foldIntervalNanoseconds
    }

    /// A commit would make HEAD's list of packs too long: it waits for the fold.
    var isFoldOverdue: Bool { map.root.packs.count >= limits.foldPackCount * 4 }

    private var canFold: Bool {
        foldRun == nil && !isFoldDelayed && canUpload && (phase == .serving || phase == .stopping)
    }

    /// Begins a fold when one is due.
    func advanceFold(at time: EngineTime) {
        guard canFold, map.unfoldedPackCount > 0 else { return }
        let isDue =
            map.unfoldedPackCount > limits.foldPackCount || map.unfoldedCommitCount >= limits.foldCommitCount
            || map.deltaBlockCount >= limits.foldBlockCount || isFoldOverdue || isLastFoldDue(at: time)
            || foldDue.map { $0 <= time.nanoseconds } ?? false
        guard isDue else { return }
        do throws(EngineError) {
            let fold = try Fold(
                of: map, volume: head.volume, foldNumber: head.foldNumber + 1,
                mapPackByteCount: limits.mapPackByteCount, nextPackName: { [unowned self] in nextPackName() })
            foldRun = FoldRun(fold: fold)
            unfoldedSince = time.nanoseconds
            continueFold(at: time)
        } catch {
            abandonFold("the map cannot be folded: \(error)", at: time)
        }
    }

    /// At a clean stop everything goes into the tree, so that opening needs nothing but HEAD; but nobody waits for it
    /// for long.
    private func isLastFoldDue(at time: EngineTime) -> Bool {
        guard let ending = commitCallers.ending, ending.purpose == .cleanShutdown else { return false }
        return commit == nil && active.isEmpty && frozen.isEmpty && time.nanoseconds < ending.foldDeadline
    }

    /// A clean stop waits for the fold that it has begun.
    func holdsEnd(_ ending: CommitCallers.Ending, at time: EngineTime) -> Bool {
        guard ending.purpose == .cleanShutdown, time.nanoseconds < ending.foldDeadline else { return false }
        return foldRun != nil && foldRun?.root == nil
    }

    /// Reads of a fold come after those of commands, for as long as no commit and no clean stop waits for it.
    func hastenFold() {
        guard foldRun?.isUrgent == false, isFoldOverdue || commitCallers.ending != nil else { return }
        foldRun?.isUrgent = true
        for (_, item) in fetches.tokens.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            if case .foldNode(let node) = item { effects.append(.hastenNode(node)) }
        }
    }

    /// Takes the next step, and what can follow it at once.
    func continueFold(at time: EngineTime) {
        guard let run = foldRun, run.root == nil, !run.fold.isFetching, !run.fold.isPutting, isAlive else { return }
        do throws(EngineError) {
            perform(try run.fold.next(), at: time)
        } catch {
            abandonFold("the map cannot be folded: \(error)", at: time)
        }
    }

    private func perform(_ step: Fold.Step, at time: EngineTime) {
        switch step {
        case .fetch(let nodes):
            for node in nodes { fetch(.foldNode(node)) }
        case .put where !mayStorePacks: later(.mapPack, after: leasePause, at: time)
        case .put(_, let key, let bytes):
            let token = effects.nextToken()
            foldRun?.packToken = token
            statisticsCounters.uploadedByteCount += UInt64(bytes.count)
            effects.append(.putObject(token, key, bytes, .absent))
        case .pause:
            later(.fold, after: 0, at: time)
        case .done(let root, _):
            foldRun?.root = root
            foldProblem = nil
        }
    }

    /// A node that the fold asked for. Throws if the bytes are not that node.
    func supplyFold(_ bytes: [UInt8], at node: NodePointer, at time: EngineTime) throws(EngineError) {
        guard let fold = foldRun?.fold else { return }
        try fold.supply(node: bytes, at: node)
        continueFold(at: time)
    }

    func mapPackStored(_ result: Result<EntityTag, BucketFailure>, at time: EngineTime) {
        guard let fold = foldRun?.fold else { return }
        foldRun?.packToken = nil
        switch result {
        case .success:
            let (nodes, bytes) = fold.stored()
            effects.append(.keepNodes(nodes, bytes: bytes))
            foldRun?.failures = 0
            foldProblem = nil
            continueFold(at: time)
        case .failure(let failure):
            delayFold("map packs cannot be stored: \(failure)")
            let failures = foldRun?.failures ?? 0
            foldRun?.failures = failures + 1
            later(.mapPack, after: backoff(failures), at: time)
        }
    }

    /// Each attempt takes another name, because the last one may still arrive.
    func retryMapPack(at time: EngineTime) {
        guard let run = foldRun, run.packToken == nil, run.fold.isPutting else { return }
        do throws(EngineError) { perform(try run.fold.reissue(), at: time) } catch {
            abandonFold("the map cannot be folded: \(error)", at: time)
        }
    }

    func delayFold(_ reason: String) {
        foldProblem = reason
        effects.append(.report(.foldDelayed(reason)))
    }

    /// Something in the map is not as it must be. Commits go on; folding is tried again from the start, in case what
    /// was fetched was damaged on the way.
    private func abandonFold(_ reason: String, at time: EngineTime) {
        delayFold(reason)
        foldRun = nil
        isFoldDelayed = true
        later(.fold, after: limits.retryMaximumNanoseconds, at: time)
    }

    /// A step after a pause, or a new attempt.
    func retryFold(at time: EngineTime) {
        isFoldDelayed = false
        continueFold(at: time)
    }
}
