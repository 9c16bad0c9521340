// SPDX-License-Identifier: Apache-2.0
import ISCSI
import ISCSIFrontend
import Platform
import SCSI
import TestInitiator
import TestSupport
import Testing
import Wire

/// Volumes with larger logical blocks, and those whose medium can be ejected, through the whole frontend.
@Suite(.serialized) struct VolumeKindTests {
    private static func cdb(_ opcode: UInt8, _ address: UInt64, _ count: UInt32) -> [UInt8] {
        [opcode, 0] + (0..<8).map { UInt8(truncatingIfNeeded: address >> UInt64(56 - 8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * $0)) } + [0, 0]
    }

    private static func write(at block: UInt64, _ data: [UInt8], blocks: Int? = nil) -> InitiatorCommand {
        InitiatorCommand(cdb: cdb(0x8A, block, UInt32(blocks ?? data.count / 4096)), dataOut: data)
    }

    private static func read(at block: UInt64, blocks: Int) -> InitiatorCommand {
        InitiatorCommand(cdb: cdb(0x88, block, UInt32(blocks)), dataInByteCount: blocks * 4096)
    }

    @Test func largerBlocksAreReadBackAsTheyWereWritten() async throws {
        try await FrontendHarness.run(volume: MemoryVolume(blockSize: .fourKibibytes)) { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            var random = SeededRandom(seed: 4096)
            for (index, blocks) in [1, 2, 256, 700].enumerated() {
                let data = random.bytes(blocks * 4096)
                #expect(try initiator.execute([Self.write(at: UInt64(index * 10), data)])[0].isGood)
                #expect(try initiator.execute([Self.read(at: UInt64(index * 10), blocks: blocks)])[0].data == data)
            }
            let last = UInt64(harness.volume.bytes.byteCount / 4096 - 1)
            #expect(try initiator.execute([Self.write(at: last, random.bytes(4096))])[0].isGood)
            for outside in [last + 1, last * 8, 1 << 61] {
                let outcome = try initiator.execute([Self.read(at: outside, blocks: 1)])[0]
                #expect(outcome.senseCode.map { [$0.key, $0.asc] } == [0x05, 0x21])
            }
            let capacity = try initiator.execute([
                InitiatorCommand(cdb: [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], dataInByteCount: 8)
            ])[0]
            #expect(capacity.data == [0, 0, 0x07, 0xFF, 0, 0, 0x10, 0])
            try initiator.logout()
        }
    }

    /// The rest of a block that is written in part stays.
    @Test func aShortWriteChangesOnlyWhatWasSent() async throws {
        try await FrontendHarness.run(volume: MemoryVolume(blockSize: .fourKibibytes)) { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            var random = SeededRandom(seed: 7)
            let old = random.bytes(3 * 4096)
            #expect(try initiator.execute([Self.write(at: 5, old)])[0].isGood)
            for count in [1, 511, 512, 700, 4096, 4097, 4096 + 512, 2 * 4096 + 4095] {
                let new = random.bytes(count)
                #expect(try initiator.execute([Self.write(at: 5, old)])[0].isGood)
                #expect(try initiator.execute([Self.write(at: 5, new, blocks: 3)])[0].isGood)
                #expect(try initiator.execute([Self.read(at: 5, blocks: 3)])[0].data == new + old[count...])
            }
        }
    }

    @Test func oneLargerBlockIsRepeatedComparedAndUnmapped() async throws {
        try await FrontendHarness.run(volume: MemoryVolume(blockSize: .fourKibibytes)) { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            var random = SeededRandom(seed: 9)
            let block = random.bytes(4096)
            #expect(
                try initiator.execute([InitiatorCommand(cdb: Self.cdb(0x93, 8, 3), dataOut: block)])[0].isGood)
            let filled = try initiator.execute([Self.read(at: 7, blocks: 5)])[0].data
            let zeros = [UInt8](repeating: 0, count: 4096)
            #expect(filled == zeros + block + block + block + zeros)
            var compare = Self.cdb(0x89, 9, 0)
            compare[13] = 1
            let new = random.bytes(4096)
            let swap = InitiatorCommand(cdb: compare, dataOut: block + new)
            #expect(try initiator.execute([swap])[0].isGood)
            #expect(try initiator.execute([swap])[0].senseCode?.key == 0x0E)
            #expect(try initiator.execute([.unmap(lba: 8, sectors: 1)])[0].isGood)
            #expect(try initiator.execute([Self.read(at: 8, blocks: 3)])[0].data == zeros + new + block)
        }
    }

    @Test func aMediumIsEjectedAndLoaded() async throws {
        try await FrontendHarness.run(volume: MemoryVolume(isRemovable: true)) { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            func send(_ cdb: [UInt8]) throws -> CommandOutcome {
                try initiator.execute([InitiatorCommand(cdb: cdb)])[0]
            }
            let inquiry = InitiatorCommand(cdb: [0x12, 0, 0, 0, 96, 0], dataInByteCount: 96)
            #expect(try initiator.execute([inquiry])[0].data[1] == 0x80)
            let zeros = [UInt8](repeating: 0, count: 512)
            #expect(try initiator.execute([.write(lba: 0, zeros)])[0].isGood)
            #expect(try send([0x1B, 0, 0, 0, 2, 0]).isGood)
            for command in [.testUnitReady, .read(lba: 0, sectors: 1), .write(lba: 0, zeros), .flush]
                as [InitiatorCommand]
            {
                let outcome = try initiator.execute([command])[0]
                #expect(outcome.senseCode.map { [$0.key, $0.asc] } == [0x02, 0x3A])
            }
            #expect(try initiator.execute([inquiry])[0].isGood)
            #expect(try send([0x1B, 0, 0, 0, 3, 0]).isGood)
            #expect(try initiator.execute([.testUnitReady, .read(lba: 0, sectors: 1)]).allSatisfy(\.isGood))
        }
    }
}
