// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
import SCSI
package import Wire

/// One volume in the shard: its engine, its journal files and what is known of it while there is no engine.
/// Owned by the shard, on its thread.
package final class HostedVolume {
    package enum Errand: Equatable, Sendable { case none, creating, deleting }

    package let id: VolumeID
    package internal(set) var limits: EngineLimits
    package let journal: SegmentFiles
    package let unit: HostedUnit
    /// nil while the journal is being recovered, and when that failed.
    package internal(set) var engine: Volume?
    /// Why there is no engine, for people.
    package internal(set) var problem: String?
    package internal(set) var errand = Errand.none
    /// From the arrival of requests to their answers.
    package internal(set) var latencies = VolumeLatencies()
    /// HEAD as of the last look; what describes a volume that has no engine.
    private var lastHead: Head

    /// In the shard's list of volumes whose effects are to be taken.
    var isTouched = false
    /// Requests were submitted since the last `endOfBatch`.
    var hasBatch = false
    /// Called once, when the engine has left its opening phase.
    var whenOpen: [(Result<Void, VolumeFailure>) -> Void] = []
    /// States to be saved, oldest first; the first one is being written. They must reach the disk in this order.
    var savesWaiting: [(EffectToken, LocalState)] = []
    /// Why the first of them cannot be saved, for people, and when that is tried again.
    var saveProblem: String?
    var saveAgainAt: UInt64?
    /// It stands still for a cut over several cache managers, which is being made.
    var releasesWritesAfterCut = false
    /// Work of disk threads on its files.
    var diskJobCount = 0
    /// Called once, when no disk thread works on its files any more.
    var whenIdle: (() -> Void)?

    init(id: VolumeID, head: Head, limits: EngineLimits, journal: SegmentFiles, unit: HostedUnit) {
        self.id = id
        self.limits = limits
        self.journal = journal
        self.unit = unit
        lastHead = head
    }

    package var head: Head {
        if let engine { lastHead = engine.head }
        return lastHead
    }

    /// Those in effect.
    package var settings: HeadSettings { engine?.settings ?? head.settings }
    /// These never change.
    package var isRemovable: Bool { lastHead.isRemovable }
    package var blockSize: LogicalBlockSize { lastHead.blockSize }

    package var reservation: VolumeAdmission.Existing {
        VolumeAdmission.Existing(name: lastHead.name, uploadBufferByteCount: limits.bufferByteCount)
    }
    package var name: String { lastHead.name }
    /// What commands can fill of the reserved buffer; all of it as long as the journal is not open.
    package var usableBufferByteCount: UInt64 { engine?.statistics.bufferByteCount ?? limits.bufferByteCount }

    /// Its commits do not get on.
    var isEngineStalled: Bool {
        if case .stalled = engine?.statistics.phase { true } else { false }
    }

    /// It has been opened and answers commands.
    var isServing: Bool {
        switch engine?.statistics.phase {
        case .serving, .stalled: true
        case nil, .opening, .fenced, .failed, .stopping, .stopped: false
        }
    }

    /// nil until it is known how the opening ended.
    func openingOutcome() -> Result<Void, VolumeFailure>? {
        if let problem { return .failure(.journalFailed(problem)) }
        switch engine?.statistics.phase {
        case nil, .opening: return nil
        case .serving, .stalled: return .success(())
        case .fenced(let reason): return .failure(.fenced(reason))
        case .failed(let reason): return .failure(.journalFailed(reason))
        case .stopping, .stopped: return .failure(.stopped)
        }
    }

    /// 0 when clean.
    package func oldestDirtySeconds(at wallMilliseconds: UInt64) -> Double {
        guard let oldest = engine?.statistics.oldestDirtyMilliseconds, wallMilliseconds > oldest else { return 0 }
        return Double(wallMilliseconds - oldest) / 1000
    }

    /// - Parameter bucketProblem: why no bucket job can run at all, if so.
    package func description(at wallMilliseconds: UInt64, bucketProblem: String?) -> VolumeDescription {
        let head = self.head
        let statistics = engine?.statistics
        let (status, reason) = status(bucketProblem: bucketProblem)
        return VolumeDescription(
            id: id, name: head.name, targetName: head.targetName, byteCount: settings.byteCount, status: status,
            statusReason: reason, durability: Durability(headText: settings.durability) ?? .onFlush,
            compression: CompressionLevel(rawValue: UInt8(clamping: head.compressionLevel)),
            commitIntervalSeconds: UInt32(clamping: head.commitIntervalSeconds), sourceSnapshot: head.sourceSnapshot,
            createdMilliseconds: head.createdMilliseconds, generation: head.generation.rawValue,
            commitNumber: head.commitNumber, recoveryPointMilliseconds: head.cutMilliseconds,
            dirtyByteCount: statistics?.dirtyByteCount ?? 0,
            oldestDirtySeconds: oldestDirtySeconds(at: wallMilliseconds),
            uploadBufferUsedByteCount: statistics?.bufferUsedByteCount ?? 0,
            uploadBufferByteCount: usableBufferByteCount, reads: statistics.map(VolumeReadFigures.init),
            lease: head.leaseMilliseconds.map {
                VolumeLease(milliseconds: $0, isHeld: statistics?.lease?.isHeld ?? false)
            },
            access: VolumeAccess(
                isReadOnly: settings.isReadOnly, allowsSanitize: settings.isSanitizeAllowed,
                coldResetCount: unit.server.state.coldResetCount),
            blockSize: head.blockSize == .sector ? nil : head.blockSize, isRemovable: head.isRemovable ? true : nil)
    }

    /// What may be done here about a volume that another gateway took over, for people.
    var standbyHint: String? {
        guard head.ownership == .lease else { return nil }
        return "`sluice volume attach \(name) --standby` lets this gateway follow the new owner"
    }

    package func status(bucketProblem: String?) -> (VolumeStatus, reason: String) {
        if let problem { return (.failed, problem) }
        if errand == .deleting {
            let delay = bucketProblem ?? engine?.statistics.commitDelayReason
            return (.deleting, "being marked as deleted in the bucket" + (delay.map { ": " + $0 } ?? ""))
        }
        switch engine?.statistics.phase {
        case nil: return (.opening, "recovering its journal")
        case .opening:
            if errand == .creating { return (.creating, bucketProblem ?? "being written to the bucket") }
            return (.opening, bucketProblem ?? "asking the bucket who owns it")
        case .serving:
            guard let problem = saveProblem ?? unit.saveProblem ?? bucketProblem else { return (.available, "") }
            return (.uploadStalled, problem)
        case .stalled(let reason): return (.uploadStalled, saveProblem ?? bucketProblem ?? reason)
        case .fenced(let reason):
            return (.fenced, reason + (standbyHint.map { "; " + $0 } ?? ""))
        case .failed(let reason): return (.failed, reason)
        case .stopping: return (.available, "stopping")
        case .stopped: return (.opening, "stopped; it opens when the cache manager starts again")
        }
    }
}

extension Durability {
    /// The word for it in HEAD.
    package var headText: String {
        switch self {
        case .onFlush: "onFlush"
        case .always: "always"
        }
    }
    package init?(headText: String) {
        guard let durability = Self.allCases.first(where: { $0.headText == headText }) else { return nil }
        self = durability
    }
}

extension VolumeReadFigures {
    init(_ statistics: VolumeStatistics) {
        self.init(
            readCount: statistics.answeredReadCount, localReadCount: statistics.localReadCount,
            journalByteCount: statistics.sources.journalByteCount,
            memoryByteCount: statistics.sources.memoryByteCount, cacheByteCount: statistics.sources.cacheByteCount,
            bucketByteCount: statistics.sources.bucketByteCount,
            prefetchedByteCount: statistics.prefetchedByteCount, warming: statistics.warming.map(Warming.init))
    }
}

extension VolumeReadFigures.Warming {
    init(_ progress: WarmingProgress) {
        let (outcome, problem): (String, String?) =
            switch progress.state {
            case .running: ("", progress.delayReason)
            case .finished: ("finished", nil)
            case .cancelled: ("cancelled", "cancelled")
            case .stopped(let reason): ("stopped: " + reason, reason)
            }
        self.init(
            isRunning: progress.state == .running, outcome: outcome,
            byteCount: progress.blockCount * UInt64(Geometry.blockByteCount),
            doneByteCount: progress.doneBlockCount * UInt64(Geometry.blockByteCount),
            fetchedByteCount: progress.fetchedByteCount, fetchedFrameCount: progress.fetchedFrameCount,
            presentFrameCount: progress.presentFrameCount, problem: problem)
    }
}
