// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// A volume's journal while it runs (STORAGE §4): collects commands into records, places records in segments, keeps
/// their order, syncs and seals. A value; effects go to the queue handed in, events come back by token.
///
/// The life of a record: open (taking commands), closed (waiting for a place), writing, published. A record gets its
/// sequence when it is placed; records are published in that order whatever order their writes complete in.
struct Journal {
    /// A record that was placed.
    struct Written {
        var record: OpenRecord
        var sequence: JournalSequence
        var segment: SegmentID
        /// Of the record in its segment.
        var byteOffset: Int
        var wallMilliseconds: UInt64
    }
    private struct Writing {
        var token: EffectToken
        var written: Written
        var isDone = false
    }

    let volume: VolumeID
    let generation: Generation
    let limits: EngineLimits
    var mutants: Mutants = []
    /// Applied requests as of the last placed record.
    private(set) var table: RequestTable
    private(set) var publishedSequence: JournalSequence
    /// How many records of this run are published, and how many there are.
    private(set) var publishedOrdinal: UInt64 = 0
    private(set) var lastOrdinal: UInt64 = 0
    /// Set for good by the first failed write or sync.
    var failure: SystemError?
    var store: SegmentPool
    var syncs: JournalSync

    private var nextSequence: UInt64
    private var previousChecksum: UInt32
    private var open: OpenRecord?
    private var closed: Deque<OpenRecord> = []
    private var intents: Deque<OpenRecord> = []
    private var writing: Deque<Writing> = []
    /// Buffers of ordinary size whose records are published, for the next records.
    private var spareBuffers: [IOBuffer] = []

    /// A journal that continues after what was recovered, in a fresh segment.
    /// - Parameter above: no record of this run may have this sequence or a lower one.
    init(
        volume: VolumeID, generation: Generation, limits: EngineLimits, recovered: RecoveredJournal,
        above: JournalSequence
    ) {
        self.volume = volume
        self.generation = generation
        self.limits = limits
        table = recovered.table
        let last = max(recovered.lastSequence, above)
        publishedSequence = last
        // The jump tells records of this run from any that an earlier run wrote and lost.
        nextSequence = last.rawValue + 1024
        previousChecksum = recovered.lastHeaderChecksum
        store = SegmentPool(limits: limits, segments: recovered.segments, next: recovered.nextSegment)
        syncs = JournalSync(syncedSequence: last)
    }

    // MARK: Taking commands; each returns the ordinal of the record that holds it

    mutating func appendWrite(
        _ sectors: SectorRange, origin: RequestOrigin, forceUnitAccess: Bool, data: UnsafeRawBufferPointer
    ) -> UInt64 {
        let checksums = JournalEntry.checksumCount(of: sectors)
        makeRoom(
            entryByteCount: JournalEntry.byteCount(rangeCount: 1, checksumCount: checksums), dataByteCount: data.count)
        unsafe open?.appendWrite(sectors, origin: origin, forceUnitAccess: forceUnitAccess, data: data)
        return lastOrdinal
    }

    /// - Parameter pattern: one sector; or one block, for whole blocks only.
    mutating func appendFill(
        _ sectors: SectorRange, origin: RequestOrigin, forceUnitAccess: Bool, pattern: UnsafeRawBufferPointer
    ) -> UInt64 {
        makeRoom(
            entryByteCount: JournalEntry.byteCount(rangeCount: 1, checksumCount: 2),
            dataByteCount: Geometry.blockByteCount)
        unsafe open?.appendFill(sectors, origin: origin, forceUnitAccess: forceUnitAccess, pattern: pattern)
        return lastOrdinal
    }

    mutating func appendZero(_ ranges: [SectorRange], origin: RequestOrigin, forceUnitAccess: Bool) -> UInt64 {
        makeRoom(entryByteCount: JournalEntry.byteCount(rangeCount: ranges.count, checksumCount: 0), dataByteCount: 0)
        open?.appendZero(ranges, origin: origin, forceUnitAccess: forceUnitAccess)
        return lastOrdinal
    }

    /// A record of its own, which does not wait behind commands: it may be what makes room for them.
    mutating func appendIntent(_ words: [UInt64]) { intents.append(record(.commitIntent, words: words)) }

    var hasUnpublished: Bool { publishedOrdinal < lastOrdinal }

    mutating func raiseLowestOpen(of frontend: ServiceInstance, to number: UInt64) {
        table.raiseLowestOpen(of: frontend, to: number)
    }
    mutating func forget(_ frontend: ServiceInstance) { table.forget(frontend) }

    private mutating func makeRoom(entryByteCount: Int, dataByteCount: Int) {
        if let record = open, !record.fits(entryByteCount: entryByteCount, dataByteCount: dataByteCount) { close() }
        guard open == nil else { return }
        lastOrdinal += 1
        open = OpenRecord(
            kind: .data, ordinal: lastOrdinal, entryByteCount: entryByteCount, dataByteCount: dataByteCount,
            reusing: dataByteCount < limits.recordByteCount
                ? spareBuffers.popLast() ?? IOBuffer(byteCount: limits.recordByteCount) : nil)
    }

    private func record(_ kind: RecordKind, words: [UInt64]) -> OpenRecord {
        var record = OpenRecord(
            kind: kind, ordinal: 0, entryByteCount: words.count * 8, dataByteCount: 0)
        record.appendWords(words)
        return record
    }

    private mutating func close() {
        guard let record = open else { return }
        closed.append(record)
        open = nil
    }

    // MARK: Placing and publishing

    /// Closes the open record and writes all that has a place. Called once per batch of commands.
    mutating func flush(_ effects: inout EffectQueue, at time: EngineTime) {
        close()
        guard failure == nil else { return }
        while let record = intents.first, place(record, &effects, at: time) { intents.removeFirst() }
        while let record = closed.first, place(record, &effects, at: time) { closed.removeFirst() }
        if let needed = store.keepReady(synced: syncs.syncedSequence, &effects), needed <= publishedSequence {
            wantSync(through: needed)
        }
    }

    private mutating func place(_ record: OpenRecord, _ effects: inout EffectQueue, at time: EngineTime) -> Bool {
        if !store.currentFits(record) {
            guard store.openNext(forCommands: record.kind == .data) else { return false }
            // First in each segment: what older segments say about applied requests may then be recycled with them.
            let words = (mutants.contains(.forgetRequestTable) ? RequestTable() : table).encoded()
            write(self.record(.checkpoint, words: words), &effects, at: time)
            if !store.currentFits(record) { return place(record, &effects, at: time) }
        }
        for item in record.items { table.record(item.origin) }
        write(record, &effects, at: time)
        return true
    }

    private mutating func write(_ placed: OpenRecord, _ effects: inout EffectQueue, at time: EngineTime) {
        var record = placed
        let sequence = JournalSequence(nextSequence)
        nextSequence += 1
        let place = store.take(record, sequence: sequence)
        previousChecksum = record.seal(
            volume: volume, generation: generation, segment: place.segment, sequence: sequence,
            syncedSequence: syncs.syncedSequence, previousChecksum: previousChecksum,
            wallMilliseconds: time.wallMilliseconds)
        store.index(record, at: place.byteOffset)
        let written = Written(
            record: record, sequence: sequence, segment: place.segment, byteOffset: place.byteOffset,
            wallMilliseconds: time.wallMilliseconds)
        let token = effects.nextToken()
        writing.append(Writing(token: token, written: written))
        effects.append(
            .writeSegment(
                token, place.segment, byteOffset: place.byteOffset, record.buffer, byteCount: record.byteCount))
    }

    /// Takes the answer to a record's write. - Returns: nil if the token is not of a record's write; else whatever can
    /// be published now, in order.
    mutating func didWrite(_ token: EffectToken, _ result: Result<Void, SystemError>) -> [Written]? {
        guard let position = writing.firstIndex(where: { $0.token == token }) else { return nil }
        if case .failure(let error) = result {
            failure = failure ?? error
            return []
        }
        writing[position].isDone = true
        guard failure == nil else { return [] }
        var published: [Written] = []
        while let first = writing.first, first.isDone {
            writing.removeFirst()
            publishedSequence = first.written.sequence
            if first.written.record.ordinal > 0 { publishedOrdinal = first.written.record.ordinal }
            published.append(first.written)
        }
        return published
    }

    /// The record was published and applied: nobody needs its buffer any more.
    mutating func recycle(_ buffer: IOBuffer) {
        if buffer.byteCount == limits.recordByteCount, spareBuffers.count < 8 { spareBuffers.append(buffer) }
    }

    /// What waits for a place, for the reserve's accounting: bytes of closed records.
    var waitingByteCount: Int { closed.reduce(0) { $0 + $1.byteCount } + (open?.byteCount ?? 0) }
}
