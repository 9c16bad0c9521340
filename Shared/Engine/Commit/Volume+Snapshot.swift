// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Wire

/// Where a volume was cut: its image is the journal up to here and nothing newer.
package struct CutPoint: Hashable, Codable, Sendable {
    package var sequence: JournalSequence
    package var wallMilliseconds: UInt64
    package init(sequence: JournalSequence, wallMilliseconds: UInt64) {
        self.sequence = sequence
        self.wallMilliseconds = wallMilliseconds
    }
}

/// Why a volume cannot be cut at this instant.
package enum CutRefusal: Error, Equatable, Sendable {
    /// Later it can, for people: why not now.
    case notNow(String)
    case failed(VolumeFailure)
}

/// What explicit cuts keep between calls.
struct CutState {
    /// The layer of the upload that runs and one behind it (STORAGE §3).
    static let frozenLayerLimit = 2

    /// Cuts whose records are not known to be durable yet.
    var undurable: [(sequence: JournalSequence, caller: CallerToken)] = []
    /// Callers that were given a HEAD and have not said yet that they have kept it. HEAD is not replaced before: it
    /// may be the only place that names this root.
    var unkept: Set<CallerToken> = []
    /// Commands that change the volume wait until then, on `EngineTime.nanoseconds`.
    var writesHeldUntil: UInt64?
}

/// Cuts at an instant that the caller chooses: snapshots, alone or of several volumes together.
extension Volume {
    /// Whether `cut` would succeed now. Changes nothing.
    package func checkCut() throws(CutRefusal) {
        guard isAlive, commitCallers.ending == nil else { throw .failed(refusal) }
        guard phase == .serving else { throw .notNow("it is still opening") }
        // Somebody else may have the volume, and more in it.
        guard lease?.isLapsed != true else { throw .notNow("the lease on it has not been renewed") }
        guard opening.isHeadVerified || !active.isEmpty || !frozen.isEmpty else {
            throw .notNow("the bucket has not said yet that it is this gateway's")
        }
        guard active.isEmpty || frozen.count < CutState.frozenLayerLimit else {
            throw .notNow(
                "an earlier cut still waits for the upload before it" + (commit?.delayReason.map { ": " + $0 } ?? ""))
        }
    }

    /// Freezes everything acknowledged so far and nothing that is submitted after this call. Answered with
    /// `Effect.cutDurable` when the cut would survive a power cut, and with `Effect.finished` when its HEAD is in the
    /// bucket; the caller then keeps that HEAD and says so with `didKeep`.
    package func cut(caller: CallerToken, at time: EngineTime) throws(CutRefusal) -> CutPoint {
        try checkCut()
        if !active.isEmpty { freeze(at: time) }
        let point: CutPoint
        if let last = frozen.last {
            commitCallers.frozen[commitCallers.frozen.count - 1].append(caller)
            point = CutPoint(sequence: last.lastSequence, wallMilliseconds: time.wallMilliseconds)
        } else {
            give(head, to: caller)
            point = CutPoint(sequence: head.journalSequence, wallMilliseconds: time.wallMilliseconds)
        }
        cuts.unkept.insert(caller)
        cuts.undurable.append((point.sequence, caller))
        if point.sequence > journal.syncedSequence { journal.wantSync(through: point.sequence) }
        answerDurableCuts()
        pump(time)
        return point
    }

    /// A cut that an earlier run promised; before anything else is asked of the volume.
    /// - Returns: false if the journal does not reach it any more: it can never be had.
    package func resumeCut(caller: CallerToken, at sequence: JournalSequence) -> Bool {
        if head.journalSequence == sequence {
            give(head, to: caller)
        } else if let index = frozen.firstIndex(where: { $0.lastSequence == sequence }) {
            commitCallers.frozen[index].append(caller)
        } else {
            return false
        }
        cuts.unkept.insert(caller)
        return true
    }

    /// The caller of a cut has kept the HEAD it was given, or does not want it.
    package func didKeep(_ caller: CallerToken, at time: EngineTime) {
        guard cuts.unkept.remove(caller) != nil else { return }
        pump(time)
    }

    /// What of the layers up to a cut the bucket lacks.
    package func unstoredByteCount(through sequence: JournalSequence) -> UInt64 {
        var blockCount = 0
        for layer in frozen where layer.lastSequence <= sequence { blockCount += layer.blockCount }
        if let commit, commit.purpose == .epoch, let first = frozen.first, first.lastSequence <= sequence {
            for pack in commit.stored.values { blockCount -= pack.directory.dataBlockCount }
        }
        return UInt64(max(0, blockCount)) * UInt64(Geometry.blockByteCount)
    }

    // MARK: Several volumes at one instant

    /// Commands that change the volume wait from now on, until `releaseWrites` or this time at the latest
    /// (`EngineTime.nanoseconds`). Those that came before go on.
    package func holdWrites(until deadline: UInt64) { cuts.writesHeldUntil = deadline }

    package func releaseWrites(at time: EngineTime) {
        guard cuts.writesHeldUntil != nil else { return }
        cuts.writesHeldUntil = nil
        pump(time)
    }

    /// False once the time was up: commands may have been let through since.
    package var isHoldingWrites: Bool { cuts.writesHeldUntil != nil }

    // MARK: Private parts

    private func give(_ head: Head, to caller: CallerToken) { effects.append(.finished(caller, .success(head))) }

    /// Whether every root that was promised to somebody is kept elsewhere, if HEAD names it.
    var mayReplaceHead: Bool {
        guard !cuts.unkept.isEmpty, !mutants.contains(.replaceUnkeptHead) else { return true }
        let waiting = Set(commitCallers.frozen.joined())
        return cuts.unkept.allSatisfy(waiting.contains)
    }

    func answerDurableCuts() {
        for cut in cuts.undurable where cut.sequence <= journal.syncedSequence {
            effects.append(.cutDurable(cut.caller))
        }
        cuts.undurable.removeAll { $0.sequence <= journal.syncedSequence }
        // Whoever came while the sync ran waits for the next one.
        if let last = cuts.undurable.last { journal.wantSync(through: last.sequence) }
    }
}
