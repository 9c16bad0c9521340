// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// The range rule of every command that addresses blocks: inside the medium, and for nothing at all still a start
/// inside.
@Suite struct RangeTests {
    private static let commands: [UInt8] = [
        0x08, 0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x35, 0x91, 0x41, 0x93, 0x89,
    ]

    private func addresses(_ opcode: UInt8) -> (width: Int, largestCount: UInt32) {
        switch opcode {
        case 0x08: (21, 255)
        case 0x89: (64, 1)
        case _ where opcode >> 5 == 4: (64, 256)
        default: (32, 256)
        }
    }

    private func dataOut(_ opcode: UInt8, _ count: UInt32) -> Int {
        switch opcode {
        case 0x41, 0x93: 512
        case 0x89: Int(count) * 1024
        default: Int(count) * 512
        }
    }

    private func begin(_ server: DeviceServer, _ opcode: UInt8, _ address: UInt64, _ count: UInt32)
        -> CommandDisposition
    {
        server.begin(CDB(block: opcode, at: address, count: count), expectedDataOut: dataOut(opcode, count))
    }

    @Test(arguments: [1, 8, 1000, 1 << 20] as [UInt64])
    func rangesThatEndInsideAreServed(sectorCount: UInt64) {
        let server = TestUnit.server { $0.sectorCount = sectorCount }
        for opcode in Self.commands {
            let limit = min(UInt64(addresses(opcode).largestCount), sectorCount)
            for count in [1, 2, 255, 256] as [UInt64] where count <= limit {
                for start in [0, sectorCount - count] {
                    let disposition = begin(server, opcode, start, UInt32(count))
                    #expect(!disposition.isOutOfRange && disposition.sense == nil, "\(opcode) \(start)+\(count)")
                }
            }
        }
    }

    @Test(arguments: [1, 8, 1000, 1 << 20] as [UInt64])
    func rangesThatLeaveTheMediumAreRefused(sectorCount: UInt64) {
        let server = TestUnit.server { $0.sectorCount = sectorCount }
        for opcode in Self.commands {
            let (width, largestCount) = addresses(opcode)
            let all: UInt64 = width == 64 ? .max : 1 << UInt64(width) - 1
            let starts = [sectorCount, sectorCount + 1, 1 << 31, 1 << 55, 1 << 63, all, all - 255]
            for start in starts where start <= all && start >= sectorCount {
                for count in [1, 2, 256] as [UInt32] where count <= largestCount {
                    #expect(begin(server, opcode, start, count).isOutOfRange, "\(opcode) \(start)+\(count)")
                }
            }
            for count in 2...256 as ClosedRange<UInt32> where count <= largestCount {
                #expect(begin(server, opcode, sectorCount - 1, count).isOutOfRange, "\(opcode) +\(count)")
            }
        }
    }

    @Test func nothingStillHasToStartInside() {
        let server = TestUnit.server()
        for opcode in Self.commands where ![0x08, 0x41, 0x93].contains(opcode) {
            for start in [0, 1, TestUnit.sectorCount - 1] {
                let disposition = begin(server, opcode, start, 0)
                let isFlush = opcode == 0x35 || opcode == 0x91
                #expect(isFlush ? disposition.operation?.kind == .flush : disposition.isGood)
            }
            let all: UInt64 = addresses(opcode).width == 64 ? .max : UInt64(UInt32.max)
            for start in [TestUnit.sectorCount, TestUnit.sectorCount + 1, all] {
                #expect(begin(server, opcode, start, 0).isOutOfRange)
            }
        }
    }

    @Test func addressesBeyond32BitsAreReached() throws {
        let server = TestUnit.server { $0.sectorCount = TestUnit.largestSectorCount }
        let last = TestUnit.largestSectorCount - 1
        for opcode in [0x88, 0x8A] as [UInt8] {
            let operation = try #require(begin(server, opcode, last, 1).operation)
            #expect(operation.sectors == SectorRange(start: last, count: 1))
            #expect(begin(server, opcode, last, 2).isOutOfRange)
        }
        #expect(begin(server, 0x28, UInt64(UInt32.max), 256).operation?.sectors.end == 1 << 32 + 255)
    }
}
