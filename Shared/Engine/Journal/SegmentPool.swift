// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Glibc
import Platform
import Wire

/// The segments of one volume's journal, oldest first: which one takes records, which may be recycled, what space is
/// left. The whole pool never exceeds the volume's upload buffer.
struct SegmentPool {
    private enum Preparation {
        case none
        case running(EffectToken, SegmentID, reusing: SegmentID?)
        /// It is not known how far this got; only the same again leads out of it.
        case failed(SegmentID, reusing: SegmentID?)
    }
    /// One for commands, and behind it the reserve, which they never take: whatever becomes of the disk, a commit can
    /// be declared and a restart finds a file to begin with.
    private static let readyCount = 2

    private let limits: EngineLimits
    private(set) var segments: Deque<Segment>
    /// Files that can be written to at once.
    private var ready: Deque<SegmentID> = []
    private var preparation = Preparation.none
    /// Files that a restart found without a record; used before any other.
    private var empty: [SegmentID]
    private let recoveredCount: Int
    private var nextID: SegmentID
    /// Committed, and the commit remembered locally: commands up to here are not needed any more.
    var recyclableSequence = JournalSequence.zero { didSet { recount() } }
    /// Intents up to here are of commits whose outcome is remembered locally.
    var settledIntentSequence = JournalSequence.zero { didSet { recount() } }
    /// Why the last segment could not be made; cleared by the next try.
    private(set) var lastFailure: SystemError?
    /// The disk has no room for another file, whatever the upload buffer would allow.
    private var isDiskFull = false

    init(limits: EngineLimits, segments: [Segment], next: SegmentID) {
        self.limits = limits
        self.segments = Deque(segments.filter { !$0.isWithoutRecords })
        empty = segments.filter(\.isWithoutRecords).map(\.id)
        recoveredCount = segments.count
        nextID = next
        recount()
    }

    /// How many segments the upload buffer holds, the reserve included.
    private var budget: Int { max(4, Int(limits.bufferByteCount) / limits.segmentByteCount) }
    private var count: Int {
        let count = segments.count + empty.count + ready.count
        if case .none = preparation { return count }
        return count + 1
    }

    /// A restart on a full buffer has closed the reserve: there may be one file more, so that the commit that makes
    /// room can be declared.
    private var fileLimit: Int { max(budget, recoveredCount + 1) }

    // MARK: The segment that takes records

    func currentFits(_ record: OpenRecord) -> Bool {
        guard let current = segments.last, current.state == .open else { return false }
        return current.fits(
            recordByteCount: record.byteCount, entriesByteCount: record.entriesByteCount,
            segmentByteCount: record.kind == .data ? commandByteCount : limits.segmentByteCount)
    }

    /// How much of a segment commands may fill: if even the reserve is in use, commits need a part of it.
    private var commandByteCount: Int {
        ready.isEmpty ? limits.segmentByteCount / 4 * 3 : limits.segmentByteCount
    }

    /// Starts the next segment, if one is ready that is not the reserve.
    mutating func openNext(forCommands: Bool) -> Bool {
        guard ready.count >= (forCommands ? Self.readyCount : 1), let id = ready.popFirst() else { return false }
        if let last = segments.indices.last, segments[last].state == .open { segments[last].state = .full }
        segments.append(Segment(id: id, state: .open))
        return true
    }

    /// Gives the record its place in the current segment, which has room.
    mutating func take(_ record: OpenRecord, sequence: JournalSequence) -> (segment: SegmentID, byteOffset: Int) {
        let last = segments.count - 1
        let byteOffset = segments[last].writeOffset
        segments[last].writeOffset += record.byteCount
        if segments[last].isEmpty { segments[last].firstSequence = sequence }
        segments[last].lastSequence = sequence
        segments[last].note(record.kind, sequence)
        return (segments[last].id, byteOffset)
    }

    mutating func index(_ record: OpenRecord, at byteOffset: Int) {
        segments[segments.count - 1].index.add(
            recordOffset: byteOffset, header: record.buffer, entriesByteCount: record.entriesByteCount)
    }

    // MARK: Space

    /// How many of the oldest segments have all their contents in the bucket, and how many are sealed. Every command
    /// asks for these, and few events change them.
    private var recyclableCount = 0
    private(set) var sealedCount = 0

    private mutating func recount() {
        recyclableCount = segments.prefix(while: isRecyclable).count
        sealedCount = segments.prefix { $0.state == .sealed }.count
    }

    private func isRecyclable(_ segment: Segment) -> Bool {
        segment.state == .sealed && segment.lastCommandSequence <= recyclableSequence
            && segment.lastIntentSequence <= settledIntentSequence
    }

    /// Bytes of segments that hold something the bucket lacks, the current one included. A commit that writes into the
    /// reserve takes nothing from commands, so a full buffer is full and not more.
    var usedByteCount: UInt64 {
        min(totalByteCount, UInt64(segments.count - recyclableCount) * UInt64(limits.segmentByteCount))
    }
    /// What commands can fill: all but the reserve.
    var totalByteCount: UInt64 { UInt64(budget - 1) * UInt64(limits.segmentByteCount) }

    /// Could a command of this size be placed now, without touching the reserve? Only files that are there count: a
    /// command that is taken must not wait for a disk to get room.
    func hasRoom(forRecordByteCount byteCount: Int) -> Bool {
        let usable = commandByteCount / 8 * 7
        var free = 0
        if ready.count >= Self.readyCount { free += usable }
        if let current = segments.last, current.state == .open {
            free += max(0, usable - current.writeOffset - current.index.bytes.count)
        }
        return byteCount + RecordHeader.alignment <= free
    }

    /// Keeps segments ready ahead of need: a new file while there is room, else the oldest committed one again.
    /// - Returns: what has to be durable first, if that is all that is missing.
    mutating func keepReady(synced: JournalSequence, _ effects: inout EffectQueue) -> JournalSequence? {
        guard lastFailure == nil else { return nil }
        if case .failed(let id, let reusing) = preparation {
            prepare(id, reusing: reusing, &effects)
            return nil
        }
        guard ready.count < Self.readyCount, case .none = preparation else { return nil }
        var reusing = empty.popLast()
        if reusing == nil, count >= fileLimit || isDiskFull {
            if segments.count > 1, let oldest = segments.first, isRecyclable(oldest), oldest.readers == 0,
                !segments[1].isEmpty
            {
                // The next segment begins with the request table: it has to be durable before this one's copy goes.
                guard segments[1].firstSequence <= synced else { return segments[1].firstSequence }
                reusing = oldest.id
                segments.removeFirst()
            } else if count >= fileLimit {
                return nil
            }
        }
        prepare(nextID, reusing: reusing, &effects)
        nextID = SegmentID(nextID.rawValue + 1)
        return nil
    }

    private mutating func prepare(_ id: SegmentID, reusing: SegmentID?, _ effects: inout EffectQueue) {
        recount()  // The oldest one may have been taken away for it.
        let token = effects.nextToken()
        preparation = .running(token, id, reusing: reusing)
        effects.append(.prepareSegment(token, id, reusing: reusing))
    }

    /// - Returns: false if the token is not of this pool.
    mutating func didPrepare(_ token: EffectToken, _ result: Result<Void, SystemError>) -> Bool {
        guard case .running(token, let id, let reusing) = preparation else { return false }
        switch result {
        case .success:
            ready.append(id)
            preparation = .none
            if reusing == nil { isDiskFull = false }
        case .failure(let error):
            // A new file is whole or not there.
            isDiskFull = reusing == nil && [ENOSPC, EDQUOT].contains(error.errorNumber)
            preparation = isDiskFull ? .none : .failed(id, reusing: reusing)
            lastFailure = error
        }
        return true
    }

    /// The driver's clock says that making a segment may be tried again.
    mutating func retry() { lastFailure = nil }

    // MARK: Reading

    /// The oldest segment that still exists; entries that point below it are gone.
    var oldestID: SegmentID { segments.first?.id ?? nextID }

    private func position(of id: SegmentID) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < segments.count && segments[low].id == id ? low : nil
    }

    mutating func retain(_ id: SegmentID) {
        guard let position = position(of: id) else { preconditionFailure("reading a recycled segment") }
        segments[position].readers += 1
    }

    mutating func release(_ id: SegmentID) {
        guard let position = position(of: id) else { preconditionFailure("segment recycled under a reader") }
        segments[position].readers -= 1
    }

    mutating func update(_ position: Int, _ change: (inout Segment) -> Void) {
        change(&segments[position])
        recount()
    }
}
