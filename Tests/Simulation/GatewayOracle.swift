// SPDX-License-Identifier: Apache-2.0
package import Engine
import Wire

/// What one gateway's volume must look like. It learns the order of commands from the records that the engine sends to
/// its disk, decoded by the production decoder, and judges every answer, recovery and commit by it.
package struct GatewayOracle {
    /// A command in journal order; position n is `entries[n - 1]`.
    struct Entry {
        var command: Int
        var record: Int
    }

    /// A journal record of any kind, in sequence order.
    struct Record {
        var sequence: JournalSequence
        var kind: RecordKind
        /// The last command in it or before it.
        var lastPosition: Int
        var headerByteCount: Int
        /// nil until its write completed.
        var receipt: SimulatedDisk.WriteReceipt?
        /// Of a commit intent.
        var intent: CommitIntent?
    }

    private(set) var history: VersionHistory
    private(set) var entries: [Entry] = []
    private(set) var records: [Record] = []
    /// How many records, counted from the first, are in the page cache; and how many would survive a power cut.
    private(set) var writtenRecordCount = 0
    private(set) var durableRecordCount = 0
    /// Position of the last command acknowledged; of the last one whose durability was promised.
    private(set) var acknowledged = 0
    private(set) var promised = 0
    /// Where each command stands in the history; 0: nowhere.
    private var positions: [Int32] = []
    /// A write or sync of the journal failed and the engine knows.
    var isJournalFailed = false
    /// A sync failed in this life: the kernel may have dropped pages, so that nothing unsynced is safe any more.
    var isCacheLossy = false

    package init(sectorCount: UInt64) { history = VersionHistory(sectorCount: sectorCount) }

    package func position(of command: Int) -> Int { command < positions.count ? Int(positions[command]) : 0 }

    /// The last command published: everything up to here may be read and must survive a process crash.
    package var published: Int { writtenRecordCount > 0 ? records[writtenRecordCount - 1].lastPosition : 0 }
    package var durable: Int { durableRecordCount > 0 ? records[durableRecordCount - 1].lastPosition : 0 }
    package var last: Int { entries.count }

    /// The last command of the journal up to this sequence.
    package func position(at sequence: JournalSequence) -> Int {
        guard let record = lastRecord(at: sequence) else { return 0 }
        return records[record].lastPosition
    }

    private func lastRecord(at sequence: JournalSequence) -> Int? {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            if records[middle].sequence <= sequence { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? low - 1 : nil
    }

    // MARK: Records

    /// The engine sends a record to its disk.
    /// - Returns: the record's index, for `didWrite`.
    mutating func willWrite(
        _ header: RecordHeader, entries decoded: [JournalEntry], intent: CommitIntent?, ledger: CommandLedger
    ) throws(Violation) -> Int {
        if let last = records.last, header.sequence <= last.sequence {
            throw Violation(
                .effectsAreWellFormed, "record \(header.sequence.rawValue) after \(last.sequence.rawValue)")
        }
        for entry in decoded { try append(entry, record: records.count, ledger) }
        records.append(
            Record(
                sequence: header.sequence, kind: header.kind, lastPosition: last,
                headerByteCount: header.headerByteCount, receipt: nil, intent: intent))
        return records.count - 1
    }

    private mutating func append(_ entry: JournalEntry, record: Int, _ ledger: CommandLedger) throws(Violation) {
        guard let number = ledger.number(of: entry.origin) else {
            throw Violation(.effectsAreWellFormed, "a command that nobody sent: \(entry.origin)")
        }
        let command = ledger[number]
        guard position(of: number) == 0 else {
            throw Violation(
                .commandAppliedOnce,
                "command \(number) (\(command.command)) again, after position \(position(of: number))")
        }
        if case .refused = command.state {
            throw Violation(.refusedIsNotApplied, "command \(number) (\(command.command))")
        }
        guard entry.ranges.map(\.sectors) == command.ranges else {
            throw Violation(.effectsAreWellFormed, "command \(number) is journalled with other ranges")
        }
        if case .compareAndWrite(let range) = command.command {
            for (index, stamp) in command.expected.enumerated() {
                let sector = range.start + UInt64(index)
                let held = history.version(of: sector, at: last).stamp
                guard ledger.areAlike(held, stamp, sector: sector) else {
                    throw Violation(
                        .compareAndWriteIsAtomic,
                        "command \(number) expected \(stamp) in sector \(sector), which held \(held) at its place")
                }
            }
        }
        entries.append(Entry(command: number, record: record))
        while positions.count <= number { positions.append(0) }
        positions[number] = Int32(entries.count)
        history.begin(position: entries.count)
        guard case .orWrite(let range) = command.command else {
            for range in command.ranges { history.write(range, stamp: command.stamp) }
            return
        }
        for sector in range.start..<range.end {
            let held = history.version(of: sector, at: last - 1).stamp
            history.write(
                SectorRange(start: sector, count: 1), stamp: ledger.mixtures.mix(held, command.stamp))
        }
    }

    mutating func didWrite(_ record: Int, _ receipt: SimulatedDisk.WriteReceipt) {
        records[record].receipt = receipt
        while writtenRecordCount < records.count, records[writtenRecordCount].receipt != nil {
            writtenRecordCount += 1
        }
    }

    /// Finds out what would survive a power cut now.
    mutating func refreshDurable(_ disk: SimulatedDisk) {
        while durableRecordCount < writtenRecordCount {
            guard let receipt = records[durableRecordCount].receipt, disk.isDurable(receipt) else { return }
            durableRecordCount += 1
        }
    }

    // MARK: Answers

    /// GOOD for a command that changes the volume.
    mutating func acknowledge(
        _ number: Int, _ command: SimulatedCommand, mustBeDurable: Bool, disk: SimulatedDisk
    ) throws(Violation) {
        let position = position(of: number)
        guard position > 0 || command.ranges.allSatisfy({ $0.count == 0 }) else {
            throw Violation(.acknowledgedIsPublished, "command \(number) (\(command.command)) is in no record")
        }
        guard position <= published else {
            throw Violation(
                .acknowledgedIsPublished, "command \(number) at \(position), published up to \(published)")
        }
        if mustBeDurable { try requireDurable(position, "command \(number)", disk) }
        acknowledged = max(acknowledged, position)
    }

    /// GOOD for a flush that was sent when `known` was the last position acknowledged.
    mutating func acknowledgeFlush(_ number: Int, known: Int, disk: SimulatedDisk) throws(Violation) {
        try requireDurable(min(known, last), "flush \(number)", disk)
    }

    private mutating func requireDurable(_ position: Int, _ what: String, _ disk: SimulatedDisk) throws(Violation) {
        guard position > 0 else { return }
        refreshDurable(disk)
        guard durable >= position else {
            throw Violation(
                .flushedIsDurable, "\(what) promises position \(position), but only \(durable) would survive")
        }
        promised = max(promised, position)
    }

    /// A HEAD that covers the journal up to `sequence` is about to be sent.
    mutating func willPublishHead(_ head: Head, disk: SimulatedDisk) throws(Violation) {
        refreshDurable(disk)
        let position = position(at: head.journalSequence)
        guard durable >= position else {
            throw Violation(
                .headIsBehindDurableJournal,
                "HEAD \(head.commitNumber) covers position \(position), but only \(durable) would survive")
        }
        promised = max(promised, position)
    }

    /// Whether an intent for this commit would survive a power cut.
    func hasDurableIntent(_ commit: CommitID) -> Bool {
        records[..<durableRecordCount].contains { $0.intent?.commit == commit }
    }

    /// Whether this byte of a segment belongs to the data of a record.
    func holdsBlockData(_ segment: SegmentID, _ byteOffset: Int) -> Bool {
        records.contains { record in
            guard let receipt = record.receipt, receipt.segment == segment, record.kind == .data else { return false }
            let start = receipt.byteOffset + record.headerByteCount
            return byteOffset >= start && byteOffset < receipt.byteOffset + receipt.byteCount
        }
    }

    // MARK: Endings

    /// The least and most that recovery may find after the process died with the page cache alive, or the machine did.
    mutating func recoverableRange(afterPowerCut: Bool, disk: SimulatedDisk) -> ClosedRange<Int> {
        refreshDurable(disk)
        let least = afterPowerCut || isCacheLossy ? max(durable, promised) : max(published, promised)
        return min(least, last)...last
    }

    /// Everything after `position`, and every record after `sequence`, never happened; what remains is durable now, as
    /// recovery has made it so.
    mutating func restart(at position: Int, sequence: JournalSequence) {
        for entry in entries[position...] { positions[entry.command] = 0 }
        entries.removeSubrange(position...)
        history.cut(after: position)
        records.removeAll { $0.sequence > sequence }
        writtenRecordCount = records.count
        durableRecordCount = records.count
        acknowledged = position
        promised = position
        isJournalFailed = false
        isCacheLossy = false
    }
}
