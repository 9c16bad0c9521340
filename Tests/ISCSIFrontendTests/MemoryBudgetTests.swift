// SPDX-License-Identifier: Apache-2.0
import Glibc
import ISCSI
import SCSI
import Synchronization
import TestInitiator
import Testing
import Wire

// The budget belongs to this executable alone, so nothing of it is visible from outside.
@testable import ISCSIFrontend

@Suite(.serialized) struct MemoryBudgetTests {
    private let first = ConnectionID(index: 0, generation: 1)
    private let second = ConnectionID(index: 1, generation: 2)

    @Test func aConnectionThatHasItsShareDoesNotHoldUpOthers() {
        var budget = MemoryBudget(.init(byteCount: 100, shareByteCount: 50, guaranteedByteCount: 0))
        let reserved = [budget.reserve(40, beside: 0), budget.reserve(20, beside: 40)]
        #expect(reserved == [true, false])
        let waiting = [
            MemoryBudget.Waiter(connection: first, slot: 1, byteCount: 20),
            MemoryBudget.Waiter(connection: first, slot: 2, byteCount: 1),
            MemoryBudget.Waiter(connection: second, slot: 0, byteCount: 30),
        ]
        for waiter in waiting { budget.wait(waiter) }
        var used = [first: 40, second: 0]
        func admit() -> MemoryBudget.Waiter? {
            let admitted = budget.admitNext { used[$0] ?? 0 }
            if let admitted { used[admitted.connection, default: 0] += admitted.byteCount }
            return admitted
        }
        #expect(admit() == nil, "nothing has changed")
        budget.forget { _ in false }
        #expect(admit() == waiting[2])
        #expect(admit() == nil, "the small one stays behind the large one")
        budget.release(40)
        used[first] = 0
        #expect(admit() == waiting[0])
        #expect(admit() == waiting[1])
        #expect(budget.usedByteCount == 51)
    }

    @Test func aShareIsKeptToOnlyWhenHalfIsUsed() {
        var budget = MemoryBudget(.init(byteCount: 100, shareByteCount: 20, guaranteedByteCount: 0))
        let reserved = [
            budget.reserve(20, beside: 0), budget.reserve(30, beside: 20), budget.reserve(1, beside: 50),
            budget.reserve(20, beside: 0), budget.reserve(1, beside: 20),
        ]
        #expect(reserved == [true, true, false, true, false])
    }

    @Test func oneReadAloneAlwaysPasses() {
        var budget = MemoryBudget(.init(byteCount: 10, shareByteCount: 5, guaranteedByteCount: 0))
        var reserved = [budget.reserve(100, beside: 0), budget.reserve(1, beside: 0)]
        budget.release(100)
        reserved.append(budget.reserve(1, beside: 0))
        #expect(reserved == [true, false, true])
    }

    @Test func whoHasNothingGetsALittleAlsoWhenAllIsUsed() {
        var budget = MemoryBudget(.init(byteCount: 100, shareByteCount: 50, guaranteedByteCount: 10))
        let reserved = [
            budget.reserve(50, beside: 0), budget.reserve(50, beside: 0), budget.reserve(11, beside: 0),
            budget.reserve(10, beside: 0), budget.reserve(1, beside: 10),
        ]
        #expect(reserved == [true, true, false, true, false])
        #expect(budget.usedByteCount == 110)
        budget.wait(.init(connection: first, slot: 1, byteCount: 40))
        budget.wait(.init(connection: second, slot: 2, byteCount: 40))
        budget.release(50)
        #expect(budget.admitNext { $0 == first ? 50 : 0 }?.slot == 2)
        #expect(budget.admitNext { $0 == first ? 50 : 40 } == nil)
        budget.forget { $0.slot == 1 }
        #expect(budget.usedByteCount == 100)
    }

    @Test func readsHoldTheirPartUntilTheyAreSent() {
        var reads = ConnectionReads()
        for byteCount in [10, 20, 30] { reads.reserve(byteCount) }
        reads.leave(10, at: 100)
        reads.leave(20, at: 300)
        var freed = [reads.takeSent(99), reads.takeSent(100)]
        #expect(reads.reservedByteCount == 50)
        freed += [reads.takeSent(1000), reads.takeAll()]
        #expect(freed == [0, 10, 20, 30])
        #expect(reads.reservedByteCount == 0)
    }

    /// What the sockets' own buffers take is beyond our reach; the rest stays in the cache manager.
    @Test func aPeerThatTakesNothingGetsNoMoreThanItsShare() async throws {
        try await FrontendHarness.run { limits in
            limits.stopSeconds = 0
            (limits.reads.byteCount, limits.reads.shareByteCount) = (8 << 20, 4 << 20)
        } _: { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let decent = try harness.loggedIn(2)
            _ = try decent.execute([.testUnitReady])
            let raw = try RawInitiator(port: harness.port)
            let keys = [TextPair("MaxRecvDataSegmentLength", "262144")]
            #expect(try raw.logIn(harness.volume.name, keys).0.status == 0)
            var read = SCSICommand()
            (read.isRead, read.expectedDataTransferLength) = (true, 2 << 20)
            read.cdb = CDB(rawValue: UInt128(0x88) << 120 | UInt128(4096) << 16)
            raw.send(read)
            #expect(try SCSIResponse(decoding: #require(try raw.receive()).header)?.status == 2)
            let before = harness.volume.counts.withLock { $0.executed }
            for tag in UInt32(1)...48 {
                (read.initiatorTaskTag, read.cmdSN) = (tag, SerialNumber(tag))
                raw.send(read)
            }
            usleep(500_000)
            #expect(harness.volume.counts.withLock { $0.executed } <= before + 16)
            #expect(try decent.execute([.read(lba: 0, sectors: 8)])[0].isGood)
            var byteCount = 0
            while byteCount < 48 * 2 << 20 {
                let (header, data) = try #require(try raw.receive())
                try #require(SCSIDataIn(decoding: header) != nil)
                byteCount += data.count
            }
            #expect(harness.volume.counts.withLock { $0.repeated } == 0)
        }
    }
}
