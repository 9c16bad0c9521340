// SPDX-License-Identifier: Apache-2.0
import Platform
import Testing
import Wire

// The journal is internal to the engine: its parts have no other door to test them through.
@testable import Engine

@Suite struct SegmentPoolTests {
    /// The smallest buffer that there is: four segments, one of them the reserve.
    @Test func aBufferThatCommandsHaveFilledIsFullAndNotMore() throws {
        var limits = EngineLimits()
        limits.segmentByteCount = 64 << 10
        limits.commandByteCount = 16 << 10
        limits.recordByteCount = 16 << 10
        limits.bufferByteCount = 256 << 10
        let memory = JournalMemory(limits: limits)
        var journal = Journal(
            volume: VolumeID(rawValue: 1), generation: Generation(3), limits: limits, recovered: RecoveredJournal(),
            above: JournalSequence(0))
        var effects = EffectQueue()
        _ = memory.settle(&journal, &effects)
        #expect(journal.store.totalByteCount == 192 << 10)
        var fills: Set<UInt64> = [journal.store.usedByteCount]
        let data = [UInt8](repeating: 1, count: 4096)
        var number: UInt64 = 0
        while journal.store.hasRoom(forRecordByteCount: 8192) {
            number += 1
            try #require(number < 100)
            _ = unsafe data.withUnsafeBytes { bytes in
                unsafe journal.appendWrite(
                    SectorRange(start: number * 8, count: 8),
                    origin: RequestOrigin(frontend: ServiceInstance(rawValue: 0xf), number: number),
                    forceUnitAccess: false, data: bytes)
            }
            _ = memory.settle(&journal, &effects)
            fills.insert(journal.store.usedByteCount)
        }
        #expect(fills.max() == journal.store.totalByteCount)
        #expect(fills.isSuperset(of: [64 << 10, 128 << 10]))
    }
}
