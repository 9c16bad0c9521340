// SPDX-License-Identifier: Apache-2.0
import Platform
import TestSupport
import Testing
import Wire

// The journal is internal to the engine: its parts have no other door to test them through.
@testable import Engine

@Suite struct JournalRecoveryTests {
    private static let volume = VolumeID(rawValue: 0x1122_3344_5566_7788)
    private static var limits: EngineLimits {
        var limits = EngineLimits()
        limits.segmentByteCount = 64 << 10
        limits.commandByteCount = 16 << 10
        limits.recordByteCount = 16 << 10
        limits.bufferByteCount = 1 << 20
        return limits
    }

    private static func journal(_ recovered: RecoveredJournal = RecoveredJournal()) -> Journal {
        Journal(
            volume: volume, generation: Generation(3), limits: limits, recovered: recovered, above: JournalSequence(0))
    }

    private static func origin(_ number: UInt64) -> RequestOrigin {
        RequestOrigin(frontend: ServiceInstance(rawValue: 0xf), number: number)
    }

    /// Appends one write in a record of its own.
    private static func write(
        _ number: UInt64, block: UInt64, fill: UInt8, _ journal: inout Journal, _ effects: inout EffectQueue,
        _ memory: JournalMemory
    ) -> [Journal.Written] {
        let data = [UInt8](repeating: fill, count: 4096)
        _ = unsafe data.withUnsafeBytes { bytes in
            unsafe journal.appendWrite(
                SectorRange(start: block * 8, count: 8), origin: origin(number), forceUnitAccess: false, data: bytes)
        }
        return memory.settle(&journal, &effects)
    }

    private static func recover(_ memory: JournalMemory) throws -> (RecoveredJournal, [UInt64]) {
        var numbers: [UInt64] = []
        let recovered = try RecoveredJournal.recover(
            volume: volume, committed: .zero, segments: Array(memory.segments.keys), store: memory, limits: limits
        ) { record in numbers += record.entries.map(\.origin.number) }
        return (recovered, numbers)
    }

    private static func filled(_ count: UInt64) -> (JournalMemory, [Journal.Written]) {
        let memory = JournalMemory(limits: limits)
        var journal = journal()
        var effects = EffectQueue()
        var written = memory.settle(&journal, &effects)
        for number in 1...count {
            written += write(number, block: number, fill: UInt8(truncatingIfNeeded: number), &journal, &effects, memory)
        }
        return (memory, written.filter { $0.record.kind == .data })
    }

    @Test func findsEveryRecordInOrderThroughSealedAndOpenSegments() throws {
        let (memory, _) = Self.filled(40)
        #expect(memory.segments.count > 3)
        let (recovered, numbers) = try Self.recover(memory)
        #expect(numbers == Array(1...40))
        #expect(recovered.dirty.blockCount == 40)
        #expect(recovered.tornTail == nil)
    }

    /// A WRITE SAME of a logical block as large as the map's is recovered as it was written.
    @Test func aBlockThatFillsBlocksIsKeptWhole() throws {
        let memory = JournalMemory(limits: Self.limits)
        var journal = Self.journal()
        var effects = EffectQueue()
        _ = memory.settle(&journal, &effects)
        let pattern = FormatSamples.noise(7)
        _ = unsafe pattern.withUnsafeBytes { bytes in
            unsafe journal.appendFill(
                SectorRange(start: 16, count: 24), origin: Self.origin(1), forceUnitAccess: false, pattern: bytes)
        }
        let written = try #require(memory.settle(&journal, &effects).first { $0.record.kind == .data })
        let data = written.byteOffset + written.record.headerByteCount
        #expect(memory.segments[written.segment].map { Array($0[data..<data + 4096]) } == pattern)
        var entries: [JournalEntry] = []
        let recovered = try RecoveredJournal.recover(
            volume: Self.volume, committed: .zero, segments: Array(memory.segments.keys), store: memory,
            limits: Self.limits
        ) { record in entries += record.entries }
        #expect(recovered.dirty.blockCount == 3 && recovered.tornTail == nil)
        #expect(entries.map(\.checksums) == [[CRC32C.checksum(pattern), CRC32C.checksum(Array(pattern[..<512]))]])
    }

    @Test func theTailEndsBeforeARecordWithBrokenDataThatWasNeverSynced() throws {
        let (memory, written) = Self.filled(3)
        let last = written[2]
        memory.damage(last.segment, at: last.byteOffset + last.record.headerByteCount + 100)
        let (recovered, numbers) = try Self.recover(memory)
        #expect(numbers == [1, 2])
        #expect(recovered.tornTail?.byteOffset == last.byteOffset)
    }

    @Test func aRecordCutAtAnySectorIsAbsentAsAWhole() throws {
        let (_, written) = Self.filled(3)
        let last = written[2]
        for sector in 0..<last.record.byteCount / 512 {
            let (memory, _) = Self.filled(3)
            memory.cut(last.segment, from: last.byteOffset + sector * 512)
            #expect(try Self.recover(memory).1 == [1, 2], "cut at sector \(sector)")
        }
    }

    @Test func brokenDataBelowTheSyncedSequenceStaysInTheJournal() throws {
        let memory = JournalMemory(limits: Self.limits)
        var journal = Self.journal()
        var effects = EffectQueue()
        let first = Self.write(1, block: 1, fill: 1, &journal, &effects, memory)
        journal.wantSync(through: journal.publishedSequence)
        _ = memory.settle(&journal, &effects)
        _ = Self.write(2, block: 2, fill: 2, &journal, &effects, memory)
        let broken = try #require(first.first { $0.record.kind == .data })
        memory.damage(broken.segment, at: broken.byteOffset + broken.record.headerByteCount)
        #expect(try Self.recover(memory).1 == [1, 2])
    }

    @Test func aMissingRecordThatWasDurableRefusesToOpen() throws {
        let memory = JournalMemory(limits: Self.limits)
        var journal = Self.journal()
        var effects = EffectQueue()
        let first = Self.write(1, block: 1, fill: 1, &journal, &effects, memory)
        _ = Self.write(2, block: 2, fill: 2, &journal, &effects, memory)
        journal.wantSync(through: journal.publishedSequence)
        _ = memory.settle(&journal, &effects)
        let third = Self.write(3, block: 3, fill: 3, &journal, &effects, memory)
        let broken = try #require(first.first { $0.record.kind == .data })
        memory.damage(broken.segment, at: broken.byteOffset + 24)
        // The third record's header cannot be reached, but it is in the next segment once the first is left behind.
        let last = try #require(third.last)
        if last.segment == broken.segment {
            #expect(try Self.recover(memory).1.isEmpty)
        } else {
            #expect(throws: RecoveryError.self) { try Self.recover(memory) }
        }
    }

    @Test func whatWasRecoveredStaysRecoveredAndGoesOn() throws {
        let (memory, _) = Self.filled(20)
        let (first, _) = try Self.recover(memory)
        var journal = Self.journal(first)
        var effects = EffectQueue()
        _ = memory.settle(&journal, &effects)
        for number in 21...30 {
            _ = Self.write(UInt64(number), block: UInt64(number), fill: 9, &journal, &effects, memory)
        }
        let (second, numbers) = try Self.recover(memory)
        #expect(numbers == Array(1...30))
        #expect(second.lastSequence > first.lastSequence)
        for number in 1...30 { #expect(second.table.verdict(on: Self.origin(UInt64(number))) == .applied) }
    }

    @Test func aStaleRecordOfAnotherVolumeOrSegmentEndsTheChain() throws {
        let (memory, written) = Self.filled(2)
        let last = written[1]
        // A copy of a sound record in the place of the next one.
        let bytes = Array(memory.segments[last.segment]!.dropFirst(last.byteOffset).prefix(last.record.byteCount))
        let buffer = IOBuffer(bytes)
        try memory.write(last.segment, byteOffset: last.byteOffset + last.record.byteCount, buffer)
        #expect(try Self.recover(memory).1 == [1, 2])
    }

    @Test func randomBytesAreNeverARecord() throws {
        var random = SeededRandom(seed: 11)
        for _ in 0..<200 {
            let (memory, written) = Self.filled(2)
            let target = written[Int.random(in: 0..<2, using: &random)]
            let noise = IOBuffer((0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) })
            let offset = target.byteOffset + 4096 * Int.random(in: 0..<2, using: &random)
            try memory.write(target.segment, byteOffset: offset, noise)
            let numbers = try Self.recover(memory).1
            #expect(numbers == [] || numbers == [1] || numbers == [1, 2])
        }
    }

    /// What is committed is not looked up again beyond a limit, and the table of applied requests is complete anyway.
    @Test func passesOverOldSegmentsThatAreCommitted() throws {
        let (memory, written) = Self.filled(60)
        let committed = written[49].sequence
        var limits = Self.limits
        limits.recoveredCleanByteCount = 1
        var sequences: [JournalSequence] = []
        let recovered = try RecoveredJournal.recover(
            volume: Self.volume, committed: committed, segments: Array(memory.segments.keys), store: memory,
            limits: limits
        ) { sequences.append($0.sequence) }
        let whole = try RecoveredJournal.recover(
            volume: Self.volume, committed: committed, segments: Array(memory.segments.keys), store: memory,
            limits: Self.limits)
        let oldest = try #require(sequences.first)
        #expect(oldest > written[0].sequence && oldest <= committed, "the newest committed segment is read")
        #expect(recovered.dirty.blockCount == 10 && whole.dirty.blockCount == 10)
        #expect(recovered.clean.blockCount < whole.clean.blockCount && whole.clean.blockCount == 50)
        #expect(recovered.table.frontends == whole.table.frontends)
        #expect(recovered.lastSequence == whole.lastSequence && recovered.segmentCount == whole.segmentCount)
        for (passed, read) in zip(recovered.segments, whole.segments) {
            #expect(passed.id == read.id && passed.lastSequence == read.lastSequence)
            #expect(passed.lastCommandSequence >= read.lastCommandSequence)
        }
    }
}
