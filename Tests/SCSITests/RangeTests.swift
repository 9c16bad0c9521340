// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// The range rule of every command that addresses blocks: inside the medium, and for nothing at all still a start
/// inside.
@Suite struct RangeTests {
    private static let commands: [UInt8] = [
        0x08, 0x28, 0xA8, 0x88, 0x0A, 0x2A, 0xAA, 0x8A, 0x2E, 0xAE, 0x8E, 0x2F, 0xAF, 0x8F, 0x34, 0x90, 0x35, 0x91,
        0x41, 0x93, 0x89, 0x8B, 0x9C,
    ]

    private func addresses(_ opcode: UInt8) -> (width: Int, largestCount: UInt32) {
        switch opcode {
        case 0x08, 0x0A: (21, 255)
        case 0x89: (64, 1)
        case _ where opcode >> 5 == 4: (64, 256)
        default: (32, 256)
        }
    }

    private func dataOut(_ opcode: UInt8, _ count: UInt32, _ blockSize: LogicalBlockSize) -> Int {
        switch opcode {
        case 0x41, 0x93: blockSize.byteCount
        case 0x89: Int(count) * 2 * blockSize.byteCount
        default: Int(count) * blockSize.byteCount
        }
    }

    private func begin(
        _ decoder: CommandDecoder, _ opcode: UInt8, _ address: UInt64, _ count: UInt32, flags: UInt8 = 0
    ) -> CommandDisposition {
        let cdb = CDB(block: opcode, flags: flags, at: address, count: count)
        let blockSize = decoder.unit.blockSize
        let disposition = decoder.begin(cdb, expectedDataOut: dataOut(opcode, count, blockSize))
        // The range of a WRITE SAME is judged with its block.
        guard let command = disposition.parameterData else { return disposition }
        return decoder.finish(command, [UInt8](repeating: 1, count: blockSize.byteCount))
    }

    @Test(arguments: [1, 8, 1000, 1 << 20] as [UInt64], LogicalBlockSize.allCases)
    func rangesThatEndInsideAreServed(blockCount: UInt64, blockSize: LogicalBlockSize) {
        let decoder = TestUnit.decoder(blockSize) { $0.sectorCount = blockCount * UInt64(blockSize.sectorCount) }
        for opcode in Self.commands {
            let limit = min(UInt64(addresses(opcode).largestCount), blockCount)
            for count in [1, 2, 255, 256] as [UInt64] where count <= limit {
                for start in [0, blockCount - count] {
                    let disposition = begin(decoder, opcode, start, UInt32(count))
                    #expect(disposition.operation != nil || disposition.isGood, "\(opcode) \(start)+\(count)")
                }
            }
        }
    }

    @Test(arguments: [1, 8, 1000, 1 << 20] as [UInt64], LogicalBlockSize.allCases)
    func rangesThatLeaveTheMediumAreRefused(blockCount: UInt64, blockSize: LogicalBlockSize) {
        let decoder = TestUnit.decoder(blockSize) { $0.sectorCount = blockCount * UInt64(blockSize.sectorCount) }
        for opcode in Self.commands {
            let (width, largestCount) = addresses(opcode)
            let all: UInt64 = width == 64 ? .max : 1 << UInt64(width) - 1
            let starts = [blockCount, blockCount + 1, 1 << 31, 1 << 52, 1 << 55, 1 << 63, all, all - 255]
            for start in starts where start <= all && start >= blockCount {
                for count in [1, 2, 256] as [UInt32] where count <= largestCount {
                    #expect(begin(decoder, opcode, start, count).isOutOfRange, "\(opcode) \(start)+\(count)")
                }
            }
            for count in 2...256 as ClosedRange<UInt32> where count <= largestCount {
                #expect(begin(decoder, opcode, blockCount - 1, count).isOutOfRange, "\(opcode) +\(count)")
            }
        }
    }

    @Test(arguments: LogicalBlockSize.allCases)
    func nothingStillHasToStartInside(blockSize: LogicalBlockSize) {
        let decoder = TestUnit.decoder(blockSize)
        let end = decoder.unit.blockCount
        let never: Set<UInt8> = [0x08, 0x0A, 0x41, 0x93]
        for opcode in Self.commands where !never.contains(opcode) {
            for start in [0, 1, end - 1] {
                let disposition = begin(decoder, opcode, start, 0)
                switch opcode {
                case 0x35, 0x91: #expect(disposition.operation?.kind == .flush)
                case 0x34, 0x90: #expect(disposition.operation?.kind == .prefetch)
                default: #expect(disposition.isGood)
                }
            }
            let all: UInt64 = addresses(opcode).width == 64 ? .max : UInt64(UInt32.max)
            for start in [end, end + 1, all] {
                #expect(begin(decoder, opcode, start, 0).isOutOfRange)
            }
        }
    }

    /// VERIFY with data has one range rule more to follow than VERIFY without.
    @Test(arguments: LogicalBlockSize.allCases)
    func comparedRangesFollowTheSameRule(blockSize: LogicalBlockSize) {
        let decoder = TestUnit.decoder(blockSize)
        let end = decoder.unit.blockCount
        for opcode in [0x2F, 0xAF, 0x8F] as [UInt8] {
            #expect(begin(decoder, opcode, end - 256, 256, flags: 0x02).operation?.kind == .verify)
            #expect(begin(decoder, opcode, end - 255, 256, flags: 0x02).isOutOfRange)
            #expect(begin(decoder, opcode, 0, 0, flags: 0x02).isGood)
            #expect(begin(decoder, opcode, end, 0, flags: 0x02).isOutOfRange)
        }
    }

    @Test func theRuleCannotOverflow() {
        for sectorCount in [1, 2, 1 << 37, 1 << 63, .max] as [UInt64] {
            let unit = TestUnit.make { $0.sectorCount = sectorCount }
            for start in [sectorCount - 1, sectorCount, sectorCount &+ 1, .max] where start >= sectorCount - 1 {
                for count in [0, 1, 2, .max] as [UInt32] {
                    let end = start.addingReportingOverflow(UInt64(count))
                    let fits = !end.overflow && end.partialValue <= sectorCount
                    let sectors = SectorRange(start: start, count: count)
                    #expect(unit.contains(unmapped: sectors) == fits)
                    #expect(unit.contains(sectors) == (fits && start < sectorCount))
                }
            }
        }
    }

    @Test func addressesBeyond32BitsAreReached() throws {
        let decoder = TestUnit.decoder { $0.sectorCount = TestUnit.largestSectorCount }
        let last = TestUnit.largestSectorCount - 1
        for opcode in [0x88, 0x8A] as [UInt8] {
            let operation = try #require(begin(decoder, opcode, last, 1).operation)
            #expect(operation.sectors == SectorRange(start: last, count: 1))
            #expect(begin(decoder, opcode, last, 2).isOutOfRange)
        }
        #expect(begin(decoder, 0x28, UInt64(UInt32.max), 256).operation?.sectors.end == 1 << 32 + 255)
    }

    /// An address whose sector has no number is outside, and so is a range that is longer than sectors can be counted.
    @Test func largeBlocksDoNotWrapIntoTheMedium() {
        let decoder = TestUnit.decoder(.fourKibibytes) { $0.sectorCount = TestUnit.largestSectorCount }
        let end = decoder.unit.blockCount
        for opcode in [0x88, 0x8A, 0x8F, 0x90, 0x91, 0x93] as [UInt8] {
            for start in [1 << 61, 1 << 61 + 1, 1 << 61 - 1, 1 << 63, .max, .max - 7] as [UInt64] {
                for count in [0, 1, 8, .max] as [UInt32] {
                    #expect(begin(decoder, opcode, start, count).isOutOfRange, "\(opcode) \(start)+\(count)")
                }
            }
            // 2^32 - 1 blocks are 2^35 - 8 sectors.
            let past = begin(decoder, opcode, end - UInt64(UInt32.max) + 1, .max)
            #expect(past.isOutOfRange)
            #expect(!begin(decoder, opcode, end - UInt64(UInt32.max), .max).isOutOfRange)
        }
    }
}
