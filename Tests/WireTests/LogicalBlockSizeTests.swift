// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

@Suite struct LogicalBlockSizeTests {
    @Test func sizesAreCountedInSectors() {
        #expect(LogicalBlockSize.allCases.map(\.byteCount) == [512, 4096])
        #expect(LogicalBlockSize.allCases.map(\.sectorCount) == [1, 8])
        #expect(LogicalBlockSize.allCases.map(\.exponent) == [0, 3])
        #expect(LogicalBlockSize(rawValue: 1024) == nil)
    }

    @Test func sectorsAreThemselves() {
        for start in [0, 1, 1 << 40, UInt64.max - UInt64(UInt32.max), .max] {
            for count in [0, 1, 256, .max] as [UInt32] {
                let range = LogicalBlockSize.sector.sectors(at: start, count: count)
                #expect(
                    range
                        == SectorRange(
                            clamping: count == 0 || start < .max - UInt64(count) ? start : .max, count: count))
            }
        }
    }

    @Test func blocksAreEightSectors() {
        let size = LogicalBlockSize.fourKibibytes
        #expect(size.sectors(at: 5, count: 3) == SectorRange(start: 40, count: 24))
        #expect(size.sectors(at: 1 << 60, count: 0) == SectorRange(start: 1 << 63, count: 0))
        #expect((0...16).map { size.address(ofSector: $0) } == (0...16).map { $0 / 8 })
    }

    @Test func blocksThatHaveNoSectorsLieBehindAllMedia() {
        let size = LogicalBlockSize.fourKibibytes
        for start in [1 << 61, 1 << 61 + 5, 1 << 63, .max] as [UInt64] {
            for count in [0, 1, .max] as [UInt32] {
                let range = size.sectors(at: start, count: count)
                #expect(range.start >= UInt64.max - UInt64(UInt32.max))
                #expect(range.start <= UInt64.max - UInt64(range.count))
            }
        }
        #expect(size.sectors(at: 1 << 61 - 1, count: 1).start > 1 << 63)
        #expect(size.sectors(at: 1 << 61 - 1, count: 2) == SectorRange(clamping: .max, count: 16))
    }

    /// Too long to be counted: it ends where the whole would.
    @Test func endlessRangesKeepTheirEnd() {
        let size = LogicalBlockSize.fourKibibytes
        for count in [1 << 29, 1 << 29 + 1, .max] as [UInt32] {
            for start in [0, 7, 1 << 34] as [UInt64] {
                let range = size.sectors(at: start, count: count)
                #expect(range.end == (start + UInt64(count)) * 8 && range.start >= start * 8)
                #expect(range.count == UInt32.max - 7)
            }
        }
        #expect(size.sectors(at: 7, count: 1 << 29 - 1) == SectorRange(start: 56, count: UInt32.max - 7))
    }
}
