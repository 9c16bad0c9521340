// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Platform
import SCSI
import Synchronization
import TestInitiator
import TestSupport
import Testing
import Wire

@testable import ISCSIFrontend  // The budgets are nobody else's.

/// Commands that are more than one request to the volume.
@Suite(.serialized) struct LargeTransferTests {
    /// 40,000 sectors are two requests, of 32,768 and 7,232.
    private static let sectorCount = 40_000
    private static let byteCount = sectorCount * 512

    private static func pattern(_ seed: UInt64, _ byteCount: Int = byteCount) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return random.bytes(byteCount)
    }

    private static func command(_ opcode: UInt8, at address: UInt64, _ dataOut: [UInt8], flags: UInt8 = 0)
        -> InitiatorCommand
    {
        var write = InitiatorCommand.write(lba: address, pattern(0, 0))
        write.cdb[0] = opcode
        write.cdb[1] = flags
        write.cdb.replaceSubrange(
            10..<14, with: (0..<4).map { UInt8(truncatingIfNeeded: sectorCount >> (24 - 8 * $0)) })
        write.dataOut = dataOut
        return write
    }

    private func run(
        _ body: @escaping @Sendable (FrontendHarness, Initiator) throws -> Void
    ) async throws {
        try await FrontendHarness.run(volume: MemoryVolume(byteCount: 32 << 20)) { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            try body(harness, try harness.loggedIn())
        }
    }

    @Test func aLargeWriteIsReadBackAtOnce() async throws {
        try await run { harness, initiator in
            let data = Self.pattern(1)
            let executed = harness.volume.counts.withLock { $0.executed }
            #expect(try initiator.execute([Self.command(0x8A, at: 3, data)])[0].isGood)
            // Whether it may run, and two pieces.
            #expect(harness.volume.counts.withLock { $0.executed } >= executed + 3)
            let read = try initiator.execute([.read(lba: 3, sectors: UInt32(Self.sectorCount))])[0]
            #expect(read.isGood && read.data == data)
        }
    }

    @Test func aShortLargeWriteKeepsTheRestOfItsLastSector() async throws {
        try await run { _, initiator in
            let old = Self.pattern(2)
            #expect(try initiator.execute([Self.command(0x8A, at: 0, old)])[0].isGood)
            let new = Self.pattern(3, 17 << 20 | 100)
            #expect(try initiator.execute([Self.command(0x8A, at: 0, new)])[0].isGood)
            let read = try initiator.execute([.read(lba: 0, sectors: UInt32(Self.sectorCount))])[0]
            #expect(read.data == new + old[new.count...])
        }
    }

    @Test func aMiscompareSaysWhereInTheWholeCommand() async throws {
        try await run { _, initiator in
            var data = Self.pattern(4)
            #expect(try initiator.execute([Self.command(0x8A, at: 0, data)])[0].isGood)
            #expect(try initiator.execute([Self.command(0x8F, at: 0, data, flags: 0x02)])[0].isGood)
            let place = 16 << 20 | 12345
            data[place] ^= 1
            let outcome = try initiator.execute([Self.command(0x8F, at: 0, data, flags: 0x02)])[0]
            #expect(outcome.senseCode?.key == 0x0E)
            #expect(outcome.sense[3..<7].reduce(0) { $0 << 8 | Int($1) } == place)
        }
    }

    @Test func bitsAreAddedAndABlockIsRepeatedInPieces() async throws {
        try await run { _, initiator in
            let data = Self.pattern(5)
            let bits = [UInt8](repeating: 0x81, count: Self.byteCount)
            #expect(try initiator.execute([Self.command(0x8A, at: 0, data)])[0].isGood)
            #expect(try initiator.execute([Self.command(0x8B, at: 0, bits)])[0].isGood)
            let read = InitiatorCommand.read(lba: 0, sectors: UInt32(Self.sectorCount))
            #expect(try initiator.execute([read])[0].data == data.map { $0 | 0x81 })
            let block = Self.pattern(6, 512)
            #expect(try initiator.execute([Self.command(0x93, at: 0, block)])[0].isGood)
            let filled = try initiator.execute([read])[0].data
            #expect(stride(from: 0, to: Self.byteCount, by: 512).allSatisfy { Array(filled[$0..<$0 + 512]) == block })
            // VERIFY with BYTCHK 3: each block is like this one.
            #expect(try initiator.execute([Self.command(0x8F, at: 0, block, flags: 0x06)])[0].isGood)
            let last = UInt64(Self.sectorCount - 1)
            #expect(try initiator.execute([.write(lba: last, Self.pattern(7, 512))])[0].isGood)
            let outcome = try initiator.execute([Self.command(0x8F, at: 0, block, flags: 0x06)])[0]
            #expect(outcome.senseCode?.key == 0x0E)
            #expect(outcome.sense[3..<7].reduce(0) { $0 << 8 | Int($1) } >= Int(last) * 512)
        }
    }

    /// Nothing of it is written.
    @Test func aLargeCommandThatLeavesTheMediumIsRefusedAsAWhole() async throws {
        try await run { _, initiator in
            let end = UInt64((32 << 20) / 512)
            let start = end - UInt64(Self.sectorCount) + 1
            let outcome = try initiator.execute([Self.command(0x8A, at: start, Self.pattern(7))])[0]
            #expect(outcome.senseCode.map { [$0.key, $0.asc] } == [0x05, 0x21])
            let read = try initiator.execute([.read(lba: start, sectors: 8)])[0]
            #expect(read.data == [UInt8](repeating: 0, count: 4096))
        }
    }

    @Test func aCommandThatMemoryCannotEverHoldIsRefused() async throws {
        let volume = MemoryVolume(byteCount: 32 << 20)
        try await FrontendHarness.run(
            volume: volume,
            adjust: {
                $0.stopSeconds = 0
                $0.writes = FrontendLimits.memory(16 << 20)
                $0.reads = FrontendLimits.memory(16 << 20)
            },
            { harness in
                let cache = try harness.cacheManager()
                defer { cache.die() }
                let initiator = try harness.loggedIn()
                for command in [
                    Self.command(0x8A, at: 0, Self.pattern(8)), .read(lba: 0, sectors: UInt32(Self.sectorCount)),
                ] {
                    let outcome = try initiator.execute([command])[0]
                    #expect(outcome.senseCode.map { [$0.key, $0.asc, $0.ascq] } == [0x05, 0x55, 0x03])
                }
                #expect(try initiator.execute([.read(lba: 0, sectors: 32768)])[0].isGood)
            })
    }
}
