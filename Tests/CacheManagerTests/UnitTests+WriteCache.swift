// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Platform
import Testing

extension UnitTests {
    /// Linux goes on without flushing until it scans the unit again, so what it changes must be durable till then.
    @Test(arguments: [0x08, 0x3f] as [UInt8])
    func whoHasNotReadOfTheWriteCacheLosesNothingByIt(page: UInt8) throws {
        try login(1)
        try login(2)
        #expect(try changesWaitForTheDisk(1) == .none)
        try set(.always)
        #expect(try readsWriteCache(1, page) == false)
        #expect(try changesWaitForTheDisk(1) == .all)
        try set(.onFlush)
        #expect(try changesWaitForTheDisk(1) == .all && changesWaitForTheDisk(2) == .all)
        // The values that can be changed, the defaults and a page that is cut off do not say how it is.
        for cdb in [[0x1a, 8, 0x40 | page, 0, 255, 0], [0x1a, 8, 0x80 | page, 0, 255, 0], [0x1a, 8, page, 0, 4, 0]] {
            #expect(try command(cdb.map { UInt8($0) }).reply.status == .good)
        }
        #expect(try command([0x1a, 8, 0x0a, 0, 255, 0]).reply.status == .good, "another page")
        try gateway.restart()
        #expect(try changesWaitForTheDisk(1) == .all)
        #expect(try readsWriteCache(1, page) == true)
        #expect(try changesWaitForTheDisk(1) == .all, "perhaps a tool has read it")
        for nexus in [1, 2] as [UInt64] {
            #expect(try gateway.perform(.flush, volume, nexus: nexus).reply.status == .good)
        }
        #expect(try changesWaitForTheDisk(1) == .none && changesWaitForTheDisk(2) == .all)
        // The next session is the same initiator's, which has not scanned again.
        try login(1)
        try login(2)
        try gateway.restart()
        #expect(try changesWaitForTheDisk(1) == .none && changesWaitForTheDisk(2) == .all)
        try set(.always)
        try set(.onFlush)
        #expect(try changesWaitForTheDisk(1) == .all)
    }

    private func set(_ durability: Durability) throws {
        let change = VolumeChangeRequest(volume: VolumeReference("db"), durability: durability)
        _ = try gateway.await { gateway.control.change(change, within: .seconds(10), answer: $0) }
        for nexus in [1, 2] as [UInt64] where try testUnitReady(nexus).reply.status == .checkCondition {}
    }

    /// nil: MODE SENSE failed.
    func readsWriteCache(_ nexus: UInt64, _ page: UInt8) throws -> Bool? {
        let answer = try command([0x1a, 0x08, page, 0, 255, 0], nexus: nexus)
        guard let bytes = answer.payload?.array, let start = bytes.dropFirst(4).firstIndex(of: 0x08) else { return nil }
        return bytes[start + 2] & 4 != 0
    }

    private enum Share { case none, some, all }

    /// Which changes are not answered by the loop alone, because the journal is synced first.
    private func changesWaitForTheDisk(_ nexus: UInt64) throws -> Share {
        let block = [UInt8](repeating: UInt8.random(in: 1...255), count: 4096)
        let filled = (0..<8).flatMap { _ in block[..<512] }
        let range = [8, 0, 0, 0, 0, 0, 0, 0] + [8, 0, 0, 0, 0, 0, 0, 0] as [UInt8]
        let changes: [(IORequest.Operation, [UInt8])] = [
            (.write, block), (.writeSame, Array(block[..<512])), (.compareAndWrite, filled + block), (.unmap, range),
            (.orWrite, block),
        ]
        let waiting = try changes.filter { operation, payload in
            let number = gateway.submit(operation, volume, sector: 8, count: 8, payload: payload, nexus: nexus)
            gateway.runLoop()
            let early = gateway.takeAnswer(number)
            gateway.run()
            let answer = try #require(early ?? gateway.takeAnswer(number))
            #expect(answer.reply.status == .good, "\(operation)")
            return early == nil
        }
        return waiting.isEmpty ? .none : waiting.count == changes.count ? .all : .some
    }
}
