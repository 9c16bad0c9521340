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
        return active.blockCount >= limits.commitBlockCount
            || journal.store.usedByteCount * 2 >= journal.store.totalByteCount
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
        startPacks(at: time)
        finishStage(at: time)
    }

    var canUpload: Bool {
        start != nil && opening.isHeadVerified && map.missingDirectories.isEmpty && publication == nil
    }

    private func beginCommit(at time: EngineTime) {
        if let ending = commitCallers.ending, ending.purpose == .tombstone {
            return begin(.tombstone, builds: [], at: time)
        }
        if let layer = frozen.first { return begin(.epoch, builds: builds(of: layer), at: time) }
        if active.isEmpty || lease != nil, !opening.lateCommits.isEmpty {
            return begin(.settling, builds: [], at: time)
        }
        if active.isEmpty, foldRun?.root != nil, commitCallers.ending == nil {
            return begin(.fold, builds: [], at: time)
        }
        guard let ending = commitCallers.ending, active.isEmpty, inProgress.isEmpty, !journal.hasUnpublished,
            durabilityWaiters.isEmpty
        else { return }
        if holdsEnd(ending, at: time) { return }
        if head.cleanShutdown, foldRun?.root == nil {
            finishEnding(ending.caller)
        } else {
            begin(.cleanShutdown, builds: [], at: time)
        }
    }

    private func begin(_ purpose: Commit.Purpose, builds: [PackBuild], at time: EngineTime) {
        let layer = purpose == .epoch ? frozen.first : nil
        commit = Commit(
            purpose: purpose, id: random.commitID(), sequence: layer?.lastSequence ?? head.journalSequence,
            cutMilliseconds: layer?.cutMilliseconds ?? head.cutMilliseconds,
            startedAt: time.nanoseconds, builds: builds)
    }

    func finishEnding(_ caller: CallerToken) {
        phase = .stopped
        commitCallers.ending = nil
        effects.append(.finished(caller, .success(head)))
        commitCallers.failAll(.stopped, &effects)
    }

    /// Splits a layer into packs: data in block order, zeroed runs with the first packs.
    private func builds(of layer: DirtyLayer) -> [PackBuild] {
        var data: [(block: BlockIndex, entry: DirtyEntry)] = []
        var zeroRuns: [BlockRange] = []
        let keys = layer.table.sortedKeys()
        for block in keys {
            guard let entry = layer.table[block] else { continue }
            if entry.isZero {
                zeroRuns.appendMerging(BlockRange(start: block, count: 1))
            } else {
                data.append((block, entry))
            }
        }
        for range in layer.zeroRanges.ranges { zeroRuns += range.removing(keys) }
        zeroRuns.sort { $0.start < $1.start }  // Packs state them in order.
        let packCount = max(
            (data.count + limits.packBlockCount - 1) / limits.packBlockCount,
            (zeroRuns.count + limits.packZeroRunCount - 1) / limits.packZeroRunCount, 1)
        func part<Element>(_ index: Int, of elements: [Element], _ count: Int) -> [Element] {
            Array(elements[(index * count..<(index + 1) * count).clamped(to: elements.indices)])
        }
        return (0..<packCount).map { index in
            PackBuild(
                index: index, blocks: part(index, of: data, limits.packBlockCount),
                zeroRuns: part(index, of: zeroRuns, limits.packZeroRunCount))
        }
    }
}

extension BlockRange {
    /// What is left of the range without these blocks (ascending, not all inside).
    fileprivate func removing(_ blocks: [BlockIndex]) -> [BlockRange] {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle] < start { low = middle + 1 } else { high = middle }
        }
        var rest: [BlockRange] = []
        var position = start
        while low < blocks.count, blocks[low] < end {
            if blocks[low] > position {
                rest.append(BlockRange(start: position, count: blocks[low].rawValue - position.rawValue))
            }
            position = blocks[low].advanced(by: 1)
            low += 1
        }
        if position < end { rest.append(BlockRange(start: position, count: end.rawValue - position.rawValue)) }
        return rest
    }
}

extension [BlockRange] {
    fileprivate mutating func appendMerging(_ range: BlockRange) {
        if let last = self.last, last.end == range.start {
            self[count - 1].count += range.count
        } else {
            append(range)
        }
    }
}
