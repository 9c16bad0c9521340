// SPDX-License-Identifier: Apache-2.0
import Platform
package import Wire

extension RecoveredJournal {
    /// Reads a volume's journal and makes it whole: indexes of sealed segments, then the unsealed tail from header to
    /// header; what follows the last whole record is cut off; every unsealed segment is sealed and synced, so that
    /// nothing is answered from data that a power cut could still take away.
    /// - Parameters:
    ///   - committed: what HEAD covers; records up to here are clean.
    ///   - cuts: promised and not committed when the last run ended. What was frozen there is frozen there again, if
    ///     the journal still reaches it.
    ///   - segments: all there are, in any order.
    ///   - observer: sees each accepted record in order.
    package static func recover(
        volume: VolumeID, committed: JournalSequence, cuts: [CutPoint] = [], segments: [SegmentID],
        store: some SegmentStore, limits: EngineLimits, observer: ((RecoveredRecord) -> Void)? = nil
    ) throws(RecoveryError) -> RecoveredJournal {
        var recovery = JournalRecovery(
            volume: volume, committed: committed, cuts: cuts, store: store, limits: limits, observer: observer)
        return try recovery.run(segments.sorted())
    }
}

private struct JournalRecovery<Store: SegmentStore> {
    /// A record whose header is sound; its data may not be.
    private struct Candidate {
        var header: RecordHeader
        var segment: SegmentID
        var byteOffset: Int
        /// Header and entries.
        var bytes: IOBuffer
    }

    let volume: VolumeID
    let committed: JournalSequence
    let store: Store
    let limits: EngineLimits
    let observer: ((RecoveredRecord) -> Void)?
    /// Ascending, those that are still ahead.
    private var cuts: [CutPoint]
    private var journal = RecoveredJournal()
    /// The last accepted record's header; nil before the first.
    private var chain: (sequence: JournalSequence, checksum: UInt32)?
    /// The highest sequence that any header says is durable.
    private var synced = JournalSequence.zero

    init(
        volume: VolumeID, committed: JournalSequence, cuts: [CutPoint], store: Store, limits: EngineLimits,
        observer: ((RecoveredRecord) -> Void)?
    ) {
        self.cuts = cuts.filter { $0.sequence > committed }.sorted { $0.sequence < $1.sequence }
        self.volume = volume
        self.committed = committed
        self.store = store
        self.limits = limits
        self.observer = observer
    }

    mutating func run(_ ids: [SegmentID]) throws(RecoveryError) -> RecoveredJournal {
        var unsealed: [(id: SegmentID, candidates: [Candidate])] = []
        var tail = chain
        let footers = try readFooters(ids)
        let unreadCount = unreadCount(footers)
        reserveCapacity(for: footers.dropFirst(unreadCount))
        for (position, (id, footer)) in zip(ids, footers).enumerated() {
            if let footer, position < unreadCount {
                guard unsealed.isEmpty else { throw .damaged(id, "sealed although an older segment is not") }
                passOver(footer)
                tail = chain
            } else if let footer {
                guard unsealed.isEmpty else { throw .damaged(id, "sealed although an older segment is not") }
                try adopt(footer)
                tail = chain
            } else {
                // Segments are begun in order: nothing is the first record if a segment before it has lost its own.
                let hasLostBeginning = tail == nil && !unsealed.isEmpty
                var end = tail
                let candidates = try walk(id, &end)
                unsealed.append((id, hasLostBeginning ? [] : candidates))
                if !hasLostBeginning { tail = end }
            }
        }
        // Its index may be no further than the page cache; those before it were synced before it was begun.
        if let last = journal.segments.last { try sync(last.id) }
        try finish(unsealed)
        freeze(before: nil)
        journal.nextSegment = SegmentID((ids.last?.rawValue ?? 0) + 1)
        journal.lastSequence = chain?.sequence ?? .zero
        journal.lastHeaderChecksum = chain?.checksum ?? 0
        return journal
    }

    /// nil: not sealed.
    private func readFooters(_ ids: [SegmentID]) throws(RecoveryError) -> [SegmentFooter?] {
        var footers: [SegmentFooter?] = []
        for id in ids {
            let bytes = try read(id, at: limits.segmentByteCount - SegmentFooter.byteCount, SegmentFooter.byteCount)
            footers.append(SegmentFooter.decode(bytes, volume: volume, segment: id))
        }
        return footers
    }

    private func isClean(_ footer: SegmentFooter?) -> Bool { footer.map { $0.lastSequence <= committed } ?? false }

    /// How many segments are taken as they are. What the bucket has is read from there if need be; only the newest of
    /// it is looked up here, so that a restart does not take longer the more of it there is. The newest segment with
    /// records is always read: it begins with the table of applied requests.
    private func unreadCount(_ footers: [SegmentFooter?]) -> Int {
        var position = footers.count
        var byteCount = 0
        while position > 0, !isClean(footers[position - 1]) || byteCount < limits.recoveredCleanByteCount {
            position -= 1
            if let footer = footers[position], isClean(footer), footer.recordCount > 0 {
                byteCount += limits.segmentByteCount
            }
        }
        return position
    }

    /// Makes room for what they may hold: a table that grows step by step is filled twice.
    private mutating func reserveCapacity(for footers: ArraySlice<SegmentFooter?>) {
        let cleanCount = footers.count(where: isClean)
        let blockCount = limits.segmentByteCount / Geometry.blockByteCount
        journal.dirty.reserveCapacity(blockCount: (footers.count - cleanCount) * blockCount)
        journal.clean.reserveCapacity(blockCount: cleanCount * blockCount)
    }

    private mutating func passOver(_ footer: SegmentFooter) {
        var segment = Segment(id: footer.segment, state: .sealed)
        if footer.recordCount > 0 {
            segment.lastCommandSequence = footer.lastSequence
            segment.lastIntentSequence = footer.lastSequence
            chain = (footer.lastSequence, footer.lastHeaderChecksum)
        }
        adopt(segment, footer)
    }

    private func read(_ id: SegmentID, at byteOffset: Int, _ byteCount: Int) throws(RecoveryError) -> IOBuffer {
        let buffer = IOBuffer(byteCount: byteCount)
        do { try store.read(id, byteOffset: byteOffset, byteCount: byteCount, into: buffer) } catch {
            throw .disk(error)
        }
        return buffer
    }

    private func sync(_ id: SegmentID) throws(RecoveryError) {
        do { try store.sync(id) } catch { throw .disk(error) }
    }

    // MARK: Sealed segments

    private mutating func adopt(_ footer: SegmentFooter) throws(RecoveryError) {
        let id = footer.segment
        guard footer.hasIndexInside(segmentByteCount: limits.segmentByteCount) else {
            return try adoptByWalking(footer)
        }
        let index = try read(id, at: footer.indexOffset, RecordHeader.aligned(footer.indexByteCount))
        let checksum = unsafe CRC32C.checksum(UnsafeRawBufferPointer(index.bytes(0..<footer.indexByteCount)))
        guard checksum == footer.indexChecksum else { return try adoptByWalking(footer) }
        var segment = Segment(id: id, state: .sealed)
        var position = 0
        for _ in 0..<footer.recordCount {
            guard position + 8 <= footer.indexByteCount else { throw .damaged(id, "the index is cut short") }
            let byteOffset = Int(index.load(UInt32.self, at: position))
            let byteCount = Int(index.load(UInt32.self, at: position + 4))
            guard byteCount >= RecordHeader.byteCount, position + 8 + byteCount <= footer.indexByteCount else {
                throw .damaged(id, "the index is cut short")
            }
            let bytes = IOBuffer(byteCount: byteCount)
            bytes.copy(index, from: position + 8, byteCount: byteCount, to: 0)
            position += 8 + byteCount
            guard let header = intactHeader(bytes, of: id) else {
                throw .damaged(id, "a header in the index is broken")
            }
            guard follows(header, chain) else { throw .damaged(id, "the chain of records is broken") }
            try accept(Candidate(header: header, segment: id, byteOffset: byteOffset, bytes: bytes))
            segment.note(header.kind, header.sequence)
        }
        adopt(segment, footer)
    }

    /// The index is broken, but the records have headers of their own.
    private mutating func adoptByWalking(_ footer: SegmentFooter) throws(RecoveryError) {
        var tail = chain
        // Behind the last one may be headers of a torn tail that an earlier recovery cut off.
        let candidates = try walk(footer.segment, &tail).prefix(footer.recordCount)
        guard candidates.count == footer.recordCount,
            candidates.last.map({ $0.bytes.load(at: 92) == footer.lastHeaderChecksum }) ?? true
        else { throw .damaged(footer.segment, "the index is broken, and so are the headers") }
        var segment = Segment(id: footer.segment, state: .sealed)
        for candidate in candidates {
            try accept(candidate)
            segment.note(candidate.header.kind, candidate.header.sequence)
        }
        adopt(segment, footer)
    }

    private mutating func adopt(_ read: Segment, _ footer: SegmentFooter) {
        var segment = read
        segment.isWithoutRecords = footer.recordCount == 0
        segment.firstSequence = footer.firstSequence
        segment.lastSequence = footer.lastSequence
        journal.segments.append(segment)
        synced = max(synced, footer.lastSequence)
    }

    // MARK: The tail

    /// Collects the records of an unsealed segment as far as their headers are sound and chained.
    private mutating func walk(
        _ id: SegmentID, _ tail: inout (sequence: JournalSequence, checksum: UInt32)?
    ) throws(RecoveryError) -> [Candidate] {
        var candidates: [Candidate] = []
        var byteOffset = 0
        while byteOffset + RecordHeader.alignment <= limits.segmentByteCount - SegmentFooter.byteCount {
            var bytes = try read(id, at: byteOffset, RecordHeader.alignment)
            guard let fixed = RecordHeader.decode(bytes),
                byteOffset + fixed.recordByteCount <= limits.segmentByteCount - SegmentFooter.byteCount
            else { break }
            if fixed.headerByteCount > RecordHeader.alignment {
                bytes = try read(id, at: byteOffset, fixed.headerByteCount)
            }
            guard let header = intactHeader(bytes, of: id) else { break }
            // A header that is sound but does not follow still tells what was durable when it was written.
            synced = max(synced, header.syncedSequence)
            let isFirst = candidates.isEmpty
            guard follows(header, tail), isFirst || header.sequence.rawValue == (tail?.sequence.rawValue ?? 0) + 1
            else {
                break
            }
            candidates.append(Candidate(header: header, segment: id, byteOffset: byteOffset, bytes: bytes))
            tail = (header.sequence, bytes.load(at: 92))
            byteOffset += header.recordByteCount
        }
        return candidates
    }

    private func intactHeader(_ bytes: IOBuffer, of id: SegmentID) -> RecordHeader? {
        guard let header = RecordHeader.decode(bytes), header.volume == volume, header.segment == id,
            RecordHeader.byteCount + header.entriesByteCount <= bytes.byteCount,
            RecordHeader.checksum(of: bytes, entriesByteCount: header.entriesByteCount) == bytes.load(at: 92)
        else { return nil }
        return header
    }

    private func follows(_ header: RecordHeader, _ last: (sequence: JournalSequence, checksum: UInt32)?) -> Bool {
        guard let last else { return true }
        return header.sequence > last.sequence && header.previousChecksum == last.checksum
    }

    /// Decides where the journal ends, applies what is before it and seals every segment.
    private mutating func finish(_ unsealed: [(id: SegmentID, candidates: [Candidate])]) throws(RecoveryError) {
        var isCut = false
        for (id, candidates) in unsealed {
            var segment = Segment(id: id, state: .sealed)
            for candidate in candidates where !isCut {
                if candidate.header.sequence > synced, try !isDataSound(candidate) {
                    isCut = true
                    journal.tornTail = (id, candidate.byteOffset)
                    break
                }
                try accept(candidate)
                if segment.isEmpty { segment.firstSequence = candidate.header.sequence }
                segment.lastSequence = candidate.header.sequence
                segment.note(candidate.header.kind, candidate.header.sequence)
                segment.index.add(
                    recordOffset: candidate.byteOffset, header: candidate.bytes,
                    entriesByteCount: candidate.header.entriesByteCount)
            }
            try seal(&segment)
            journal.segments.append(segment)
        }
        let end = max(chain?.sequence ?? .zero, committed)
        guard synced <= end else {
            throw .damaged(
                unsealed.last?.id ?? SegmentID(0),
                "records up to \(synced.rawValue) were durable, but the journal ends at \(end.rawValue)")
        }
    }

    private mutating func seal(_ segment: inout Segment) throws(RecoveryError) {
        if segment.isEmpty {
            segment.isWithoutRecords = true
            segment.firstSequence = chain?.sequence ?? .zero
            segment.lastSequence = segment.firstSequence
        }
        let sealed = segment.index.sealed(
            volume: volume, segment: segment.id, generation: Generation(0), firstSequence: segment.firstSequence,
            lastSequence: segment.lastSequence, segmentByteCount: limits.segmentByteCount)
        segment.index = SegmentIndex()
        do {
            try store.sync(segment.id)
            try store.write(segment.id, byteOffset: sealed.byteOffset, sealed.buffer)
            try store.sync(segment.id)
        } catch { throw .disk(error) }
    }

    /// Whether all data of the record is what its checksums say.
    private func isDataSound(_ candidate: Candidate) throws(RecoveryError) -> Bool {
        guard candidate.header.kind == .data, candidate.header.dataByteCount > 0 else { return true }
        let data = try read(
            candidate.segment, at: candidate.byteOffset + candidate.header.headerByteCount,
            RecordHeader.aligned(candidate.header.dataByteCount))
        func isSound(_ byteOffset: Int, _ byteCount: Int, _ checksum: UInt32) -> Bool {
            guard byteOffset + byteCount <= data.byteCount else { return false }
            return unsafe CRC32C.checksum(UnsafeRawBufferPointer(data.bytes(byteOffset..<byteOffset + byteCount)))
                == checksum
        }
        for entry in try entries(of: candidate) {
            switch entry.operation {
            case .zero: continue
            case .fill:
                guard isSound(entry.ranges[0].dataOffset, Geometry.blockByteCount, entry.checksums[0]) else {
                    return false
                }
            case .write:
                var position = entry.ranges[0].dataOffset
                var sector = entry.ranges[0].sectors.start
                let end = entry.ranges[0].sectors.end
                for checksum in entry.checksums {
                    let whole = sector % 8 == 0 && end - sector >= 8
                    let count = whole ? Geometry.blockByteCount : Geometry.sectorByteCount
                    guard isSound(position, count, checksum) else { return false }
                    position += count
                    sector += whole ? 8 : 1
                }
            }
        }
        return true
    }

    // MARK: Applying

    private func entries(of candidate: Candidate) throws(RecoveryError) -> [JournalEntry] {
        var position = RecordHeader.byteCount
        let end = position + candidate.header.entriesByteCount
        var entries: [JournalEntry] = []
        do {
            for _ in 0..<candidate.header.entryCount {
                let entry = try JournalEntry.decode(candidate.bytes, at: &position, end: end)
                guard entry.liesWithin(dataByteCount: candidate.header.dataByteCount) else {
                    throw EngineError.malformed(.journal, reason: "data outside of its record")
                }
                entries.append(entry)
            }
        } catch { throw .damaged(candidate.segment, "\(error)") }
        return entries
    }

    private mutating func accept(_ candidate: Candidate) throws(RecoveryError) {
        let header = candidate.header
        chain = (header.sequence, candidate.bytes.load(at: 92))
        journal.recordCount += 1
        let isDirty = header.sequence > committed
        do throws(EngineError) {
            switch header.kind {
            case .checkpoint: journal.table = try RequestTable(decoding: words(of: candidate))
            case .commitIntent:
                journal.intents.append((header.sequence, try CommitIntent(decoding: words(of: candidate))))
            case .data: break
            }
        } catch { throw .damaged(candidate.segment, "\(error)") }
        guard header.kind == .data else { return }
        let entries = try entries(of: candidate)
        let dataStart = candidate.byteOffset + header.headerByteCount
        if isDirty {
            freeze(before: header.sequence)
            journal.dirty.include(header.sequence, wallMilliseconds: header.wallMilliseconds)
            for entry in entries { journal.dirty.apply(entry, segment: candidate.segment, dataStart: dataStart) }
        } else {
            journal.clean.include(header.sequence, wallMilliseconds: header.wallMilliseconds)
            for entry in entries { journal.clean.apply(entry, segment: candidate.segment, dataStart: dataStart) }
        }
        for entry in entries { journal.table.record(entry.origin) }
        observer?(RecoveredRecord(sequence: header.sequence, segment: candidate.segment, entries: entries))
    }

    /// Ends the layer where a cut was promised. A cut that the journal does not reach any more is no cut.
    /// - Parameter sequence: of the next record; nil at the journal's end.
    private mutating func freeze(before sequence: JournalSequence?) {
        while let cut = cuts.first, sequence.map({ cut.sequence < $0 }) ?? true {
            cuts.removeFirst()
            guard !journal.dirty.isEmpty, journal.dirty.lastSequence == cut.sequence else { continue }
            journal.dirty.cutMilliseconds = cut.wallMilliseconds
            journal.frozen.append(journal.dirty)
            journal.dirty = DirtyLayer()
        }
    }

    private func words(of candidate: Candidate) throws(EngineError) -> [UInt64] {
        let count = candidate.header.entryCount
        guard count * 8 == candidate.header.entriesByteCount else {
            throw .malformed(.journal, reason: "\(count) words in \(candidate.header.entriesByteCount) bytes")
        }
        return (0..<count).map { candidate.bytes.load(UInt64.self, at: RecordHeader.byteCount + $0 * 8) }
    }
}

extension DirtyLayer {
    /// Applies a command as the journal holds it.
    fileprivate mutating func apply(_ entry: JournalEntry, segment: SegmentID, dataStart: Int) {
        for range in entry.ranges {
            switch entry.operation {
            case .write:
                applyWrite(
                    range.sectors, segment: segment, byteOffset: dataStart + range.dataOffset,
                    checksum: { entry.checksums[$0] }, isZero: { _ in false })
            case .fill:
                applyFill(
                    range.sectors, segment: segment, byteOffset: dataStart + range.dataOffset,
                    blockChecksum: entry.checksums[0], sectorChecksum: entry.checksums[1])
            case .zero: applyZero(range.sectors)
            }
        }
    }
}
