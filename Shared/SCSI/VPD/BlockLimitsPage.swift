// SPDX-License-Identifier: Apache-2.0
import Wire

/// Block limits, page B0h (SBC-3 §6.6.3).
enum BlockLimitsPage {
    /// The alignment that follows is valid (UGAVALID), and is 0.
    private static let unmapGranularityAlignment: UInt32 = 0x8000_0000

    static func body(of unit: LogicalUnit) -> [UInt8] {
        /// The same bytes, in the unit's blocks.
        func blocks(_ sectorCount: UInt32) -> UInt32 { sectorCount >> UInt32(unit.blockSize.exponent) }
        var body: [UInt8] = [
            0x01,  // WSNZ: WRITE SAME of zero blocks is refused.
            BlockLimits.maximumCompareAndWriteBlockCount,
        ]
        body.appendBigEndian(UInt16(clamping: blocks(BlockLimits.optimalTransferGranularity)))
        body.appendBigEndian(BlockLimits.maximumTransferBlockCount)
        body.appendBigEndian(blocks(BlockLimits.optimalTransferSectorCount))
        body.appendBigEndian(UInt32(0))  // Maximum prefetch.
        body.appendBigEndian(blocks(BlockLimits.maximumUnmapSectorCount))
        body.appendBigEndian(UInt32(BlockLimits.maximumUnmapDescriptorCount))
        body.appendBigEndian(blocks(BlockLimits.optimalUnmapGranularity))
        body.appendBigEndian(unmapGranularityAlignment)
        // 0: no limit.
        let writeSame = unit.blockSize == .sector ? 0 : BlockLimits.maximumWriteSameBlockCount(unit.blockSize)
        body.appendBigEndian(UInt64(writeSame))
        body.appendBigEndian(blocks(BlockLimits.maximumAtomicSectorCount))
        body.appendZeros(16)  // Atomic writes need no alignment or granularity, and know no boundary.
        return body
    }
}
