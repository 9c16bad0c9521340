// SPDX-License-Identifier: Apache-2.0

/// Block limits, page B0h (SBC-3 §6.6.3).
enum BlockLimitsPage {
    /// The alignment that follows is valid (UGAVALID), and is 0.
    private static let unmapGranularityAlignment: UInt32 = 0x8000_0000

    static var body: [UInt8] {
        var body: [UInt8] = [
            0x01,  // WSNZ: WRITE SAME of zero blocks is refused.
            BlockLimits.maximumCompareAndWriteSectorCount,
        ]
        body.appendBigEndian(BlockLimits.optimalTransferGranularity)
        body.appendBigEndian(BlockLimits.maximumTransferSectorCount)
        body.appendBigEndian(BlockLimits.optimalTransferSectorCount)
        body.appendBigEndian(UInt32(0))  // Maximum prefetch.
        body.appendBigEndian(BlockLimits.maximumUnmapSectorCount)
        body.appendBigEndian(UInt32(BlockLimits.maximumUnmapDescriptorCount))
        body.appendBigEndian(BlockLimits.optimalUnmapGranularity)
        body.appendBigEndian(unmapGranularityAlignment)
        body.appendBigEndian(UInt64(BlockLimits.maximumWriteSameSectorCount))
        body.appendBigEndian(BlockLimits.maximumAtomicSectorCount)
        body.appendZeros(16)  // Atomic writes need no alignment or granularity, and know no boundary.
        return body
    }
}
