// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
import Platform
package import Wire

/// Snapshots that were promised: cut, and on the disk until the bucket has their records, so that neither the death of
/// this process nor an absent bucket loses one unseen. Owned by the shard, on its thread.
package final class PendingSnapshots {
    private final class Entry {
        var record: PendingSnapshot
        /// Of the engine's cut; nil once nothing more comes of it.
        var caller: CallerToken?
        /// The journal holds the cut whatever happens.
        var isDurable = false
        /// The file on the disk exists, and a write of it is under way, or out of date before it has ended.
        var isSaved = false
        var isSaving = false
        var isStale = false
        /// Why it cannot go on before a restart, for people.
        var obstacle = ""
        var whenPromised: [(Result<Void, BusFault>) -> Void] = []

        init(_ record: PendingSnapshot) { self.record = record }
    }

    /// Descriptions with HEAD in one answer: each may be 256 KiB, a message 8 MiB.
    private static let headsPerAnswer = 8
    /// Descriptions in one answer.
    private static let answerLimit = 256
    private let files: PendingSnapshotFiles
    private unowned let shard: Shard
    private var entries: [SnapshotID: Entry] = [:]
    /// Rises with each snapshot that is begun.
    private var revision: UInt64 = 0
    package private(set) var figures = SnapshotFigures()
    /// Promises at one time: each is a file, and with its HEAD up to 320 KiB of memory.
    package var limit = 1024

    init(files: PendingSnapshotFiles, shard: Shard) {
        self.files = files
        self.shard = shard
    }

    package var count: Int { entries.count }
    /// Those of a volume that are lost if it leaves.
    func undecided(of volume: VolumeID) -> [SnapshotID] { undecidedEntries(of: volume).map(\.record.id) }
    package func isKnown(_ id: SnapshotID) -> Bool { entries[id] != nil }

    // MARK: Starting

    /// What an earlier run has promised; before any volume is opened.
    package func adopt(_ snapshots: [PendingSnapshot], volumes: Set<VolumeID>) {
        for record in snapshots {
            let entry = Entry(record)
            entry.isDurable = true
            entry.isSaved = true
            entries[record.id] = entry
            if !record.isDecided, !volumes.contains(record.volume) {
                fail(entry, "volume \(record.volumeName) left this gateway before the snapshot was in the bucket")
            }
        }
    }

    /// Where a volume's journal has to be cut when it is recovered.
    func cuts(of volume: VolumeID) -> [CutPoint] { undecidedEntries(of: volume).map(\.record.cut) }

    /// The volume has an engine again.
    func resume(_ hosted: HostedVolume) {
        guard let engine = hosted.engine else { return }
        for entry in undecidedEntries(of: hosted.id) {
            let caller = register(entry, hosted)
            guard !engine.resumeCut(caller: caller, at: entry.record.cut.sequence) else { continue }
            forgetCaller(of: entry)
            fail(entry, "the journal of volume \(hosted.name) lost what was cut before the bucket had it")
        }
    }

    // MARK: Promising

    /// The volume was just cut for this snapshot. `then` hears once the promise can be given, or why it cannot.
    func begin(
        _ record: PendingSnapshot, caller: CallerToken, of hosted: HostedVolume,
        then whenPromised: @escaping (Result<Void, BusFault>) -> Void
    ) {
        let entry = Entry(record)
        entry.whenPromised = [whenPromised]
        entries[record.id] = entry
        revision += 1
        register(entry, hosted, as: caller)
        save(entry)
    }

    /// For a request that comes again.
    func whenPromised(_ id: SnapshotID, then call: @escaping (Result<Void, BusFault>) -> Void) {
        guard let entry = entries[id] else {
            return call(.failure(BusFault(.unknownSnapshot, "snapshot \(id) is not pending")))
        }
        entry.whenPromised.append(call)
        announce(entry)
    }

    /// - Parameter isCut: false if volumes stood still for a group that was not made.
    func note(pauseNanoseconds: UInt64, isCut: Bool = true) {
        figures.note(pauseNanoseconds: pauseNanoseconds, isCut: isCut)
    }

    // MARK: What becomes of cuts

    func cutDurable(_ caller: CallerToken) {
        guard let entry = entries.values.first(where: { $0.caller == caller }) else { return }
        entry.isDurable = true
        announce(entry)
    }

    /// The volume is no longer served from its journal here.
    func volumeLeft(_ hosted: HostedVolume) {
        for entry in undecidedEntries(of: hosted.id) {
            forgetCaller(of: entry)
            fail(entry, "volume \(hosted.name) \(Self.howItLeft(hosted)) before the snapshot was in the bucket")
        }
    }

    private static func howItLeft(_ hosted: HostedVolume) -> String {
        hosted.errand == .deleting ? "was deleted" : "was attached anew, without its journal,"
    }

    private func finished(_ entry: Entry, _ result: Result<Head, VolumeFailure>, _ hosted: HostedVolume) {
        switch result {
        case .success(let head):
            entry.record.head = head
            save(entry)
        case .failure(.fenced(let reason)):
            fail(entry, "volume \(hosted.name) was taken over before the snapshot was in the bucket: \(reason)")
        case .failure(.stopped) where hosted.errand == .deleting: volumeLeft(hosted)
        case .failure(.journalFailed(let reason)):
            pause(entry, "the journal of volume \(hosted.name) failed: \(reason); a restart tells what it still holds")
        case .failure(.stopped), .failure(.bucketUnavailable), .failure(.invalidChange):
            pause(entry, "volume \(hosted.name) has stopped")
        }
    }

    /// The next run goes on with it; what was not promised yet is dropped.
    private func pause(_ entry: Entry, _ reason: String) {
        entry.caller = nil
        entry.obstacle = reason
        guard !(entry.isDurable && entry.isSaved) else { return }
        drop(entry, BusFault(.notReady, "no snapshot was taken: \(reason)"))
    }

    private func fail(_ entry: Entry, _ reason: String) {
        guard !entry.record.isDecided else { return }
        figures.failureCount += 1
        entry.record.failure = reason
        entry.isDurable = true
        save(entry)
    }

    private func drop(_ entry: Entry, _ fault: BusFault) {
        entries[entry.record.id] = nil
        forgetCaller(of: entry)
        let waiting = entry.whenPromised
        entry.whenPromised = []
        for call in waiting { call(.failure(fault)) }
        remove([entry.record.id])
    }

    /// What becomes of the cut concerns nobody any more.
    private func forgetCaller(of entry: Entry) {
        if let caller = entry.caller { shard.callers[caller] = nil }
        entry.caller = nil
    }

    @discardableResult
    private func register(_ entry: Entry, _ hosted: HostedVolume, as given: CallerToken? = nil) -> CallerToken {
        let caller = given ?? CallerToken(rawValue: shard.drawNumber())
        entry.caller = caller
        shard.callers[caller] = { [weak self] result in self?.finished(entry, result, hosted) }
        return caller
    }

    private func undecidedEntries(of volume: VolumeID) -> [Entry] {
        entries.values.filter { $0.record.volume == volume && !$0.record.isDecided }
            .sorted { $0.record.id < $1.record.id }
    }

    private func announce(_ entry: Entry) {
        guard entry.isDurable, entry.isSaved else { return }
        let waiting = entry.whenPromised
        entry.whenPromised = []
        for call in waiting { call(.success(())) }
    }

    // MARK: Files

    /// One write at a time; the newest state last.
    private func save(_ entry: Entry) {
        guard !entry.isSaving else {
            entry.isStale = true
            return
        }
        entry.isSaving = true
        entry.isStale = false
        let (files, record) = (files, entry.record)
        shard.disk.run {
            Result { () throws(SystemError) in try files.save(record) }
        } then: { result in
            entry.isSaving = false
            self.saved(entry, result, hasHead: record.head != nil)
            self.shard.settle()
        }
    }

    private func saved(_ entry: Entry, _ result: Result<Void, SystemError>, hasHead: Bool) {
        // Settled meanwhile: the file must not come back.
        guard entries[entry.record.id] === entry else { return remove([entry.record.id]) }
        switch result {
        case .success: entry.isSaved = true
        case .failure(let error) where !entry.isSaved:
            release(entry)
            return drop(
                entry, BusFault(.internalError, "no snapshot was taken: it cannot be written down: \(error)"))
        // It is in memory still. Should this process die before the bucket has it, the next one says that it is lost.
        case .failure(let error): entry.obstacle = "its state cannot be written: \(error)"
        }
        if hasHead || entry.obstacle != "" { release(entry) }
        announce(entry)
        if entry.isStale { save(entry) }
    }

    /// HEAD may be replaced: the one of this snapshot is kept.
    private func release(_ entry: Entry) {
        guard let caller = entry.caller, let hosted = shard.volumes[entry.record.volume] else { return }
        hosted.engine?.didKeep(caller, at: shard.now)
        shard.touch(hosted)
    }

    private func remove(_ ids: [SnapshotID], then finish: @escaping () -> Void = {}) {
        let files = files
        shard.disk.run {
            for id in ids { _ = try? files.remove(id) }
        } then: {
            finish()
        }
    }

    // MARK: For the snapshotter

    /// The bucket has their records.
    package func settle(_ ids: [SnapshotID], then finish: @escaping () -> Void) {
        let known = ids.filter { entries[$0]?.record.isDecided ?? false }
        for id in known {
            if let entry = entries.removeValue(forKey: id) { release(entry) }
        }
        remove(known) {
            finish()
            self.shard.settle()
        }
    }

    /// - Parameter last: only those with a higher id.
    package func descriptions(
        after last: SnapshotID?
    ) -> (snapshots: [PendingSnapshotDescription], hasMore: Bool, revision: UInt64) {
        var headCount = 0
        var descriptions: [PendingSnapshotDescription] = []
        for entry in entries.values.sorted(by: { $0.record.id < $1.record.id }) {
            // Not promised yet: it may still be refused.
            guard last.map({ entry.record.id > $0 }) ?? true, entry.isSaved, entry.isDurable else { continue }
            if entry.record.head != nil { headCount += 1 }
            guard headCount <= Self.headsPerAnswer, descriptions.count < Self.answerLimit else {
                return (descriptions, true, revision)
            }
            if let description = describe(entry, withHead: true) { descriptions.append(description) }
        }
        return (descriptions, false, revision)
    }

    /// Without HEAD.
    func description(of id: SnapshotID) -> PendingSnapshotDescription? {
        entries[id].flatMap { describe($0, withHead: false) }
    }

    private func describe(_ entry: Entry, withHead: Bool) -> PendingSnapshotDescription? {
        var record = entry.record
        if !withHead { record.head = nil }
        guard let bytes = try? PendingSnapshotFormat.encode(record) else { return nil }
        let hosted = shard.volumes[record.volume]
        let whole = record.unstoredByteCount
        let missing =
            entry.record.head != nil
            ? 0 : hosted?.engine.map { min(whole, $0.unstoredByteCount(through: record.cut.sequence)) } ?? whole
        let status = hosted?.status(bucketProblem: shard.bucketProblem)
        let reason = entry.obstacle.isEmpty ? status?.reason ?? "" : entry.obstacle
        return PendingSnapshotDescription(
            id: record.id, volume: record.volume, uploadByteCount: whole, uploadedByteCount: whole - missing,
            waitingReason: entry.record.isDecided ? "" : reason, record: bytes)
    }

    /// What all of them still have to bring to the bucket, for metrics.
    package var progress: (pending: Int, byteCount: UInt64, storedByteCount: UInt64) {
        var (pending, byteCount, stored) = (0, UInt64(0), UInt64(0))
        for entry in entries.values where !entry.record.isDecided {
            pending += 1
            let whole = entry.record.unstoredByteCount
            let engine = shard.volumes[entry.record.volume]?.engine
            byteCount += whole
            stored += whole - min(whole, engine?.unstoredByteCount(through: entry.record.cut.sequence) ?? whole)
        }
        return (pending, byteCount, stored)
    }
}

/// How cuts went since the start.
package struct SnapshotFigures: Sendable, Equatable {
    /// Turns in which volumes were cut; a group counts once.
    package var cutCount: UInt64 = 0
    package var failureCount: UInt64 = 0
    package var pauseNanoseconds: UInt64 = 0
    package var longestPauseNanoseconds: UInt64 = 0

    mutating func note(pauseNanoseconds pause: UInt64, isCut: Bool) {
        if isCut { cutCount += 1 }
        pauseNanoseconds += pause
        longestPauseNanoseconds = max(longestPauseNanoseconds, pause)
    }
}
