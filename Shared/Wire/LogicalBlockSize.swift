// SPDX-License-Identifier: Apache-2.0

/// The logical block of a volume (SBC-3 §4.5): what its initiators count in. A property of the volume for ever. Inside,
/// everything is counted in sectors of 512 bytes; where commands are decoded and answers are made the two meet.
package enum LogicalBlockSize: UInt32, Codable, Sendable, CaseIterable {
    case sector = 512
    /// As large as the map's block.
    case fourKibibytes = 4096

    @inlinable package var byteCount: Int { Int(rawValue) }
    @inlinable package var sectorCount: UInt32 { rawValue / UInt32(Geometry.sectorByteCount) }
    /// Of `sectorCount`, as a power of 2.
    @inlinable package var exponent: UInt8 { UInt8(sectorCount.trailingZeroBitCount) }

    @inlinable package func address(ofSector sector: UInt64) -> UInt64 { sector >> UInt64(exponent) }

    /// The sectors of blocks as an initiator wrote them. Blocks beyond the last of all sectors lie outside of every
    /// medium, and so does what this gives for them. A range of more sectors than can be counted keeps its end, so that
    /// it exists exactly if the whole would.
    @inlinable package func sectors(at address: UInt64, count: UInt32) -> SectorRange {
        let wanted = UInt64(count) << UInt64(exponent)
        let largest = UInt32.max / sectorCount * sectorCount
        let kept = UInt32(exactly: wanted) ?? largest
        let start = address << UInt64(exponent)
        guard start >> UInt64(exponent) == address, wanted <= UInt64.max - start else {
            return SectorRange(clamping: .max, count: kept)
        }
        return SectorRange(start: start + wanted - UInt64(kept), count: kept)
    }
}
