// SPDX-License-Identifier: Apache-2.0
import Wire

/// UNMAP parameter list, SBC-3 §5.28.2.
///
/// | bytes | field |
/// | --- | --- |
/// | 0-1 | UNMAP data length; ignored, the next says it better |
/// | 2-3 | block descriptor data length |
/// | 4-7 | reserved |
/// | 8... | descriptors of 16 bytes: address (8), count of blocks (4), reserved (4) |
enum UnmapParameterList {
    static let headerByteCount = 8
    private static let descriptorByteCount = 16

    /// All of them, the empty ones too: whether they lie inside the medium is for its owner to say.
    static func ranges(in list: RawSpan, _ blockSize: LogicalBlockSize) throws(SCSIError) -> [SectorRange] {
        guard list.byteCount >= headerByteCount else { throw .parameterListLengthError }
        let descriptorsByteCount = Int(list.bigEndian(at: 2, as: UInt16.self))
        // An incomplete last descriptor is ignored (SBC-3), but what the length promises must be there.
        guard descriptorsByteCount <= list.byteCount - headerByteCount else { throw .parameterListLengthError }
        let count = descriptorsByteCount / descriptorByteCount
        guard count <= BlockLimits.maximumUnmapDescriptorCount else { throw .invalidFieldInParameterList(byte: 2) }

        var ranges: [SectorRange] = []
        ranges.reserveCapacity(count)
        var sectorTotal: UInt64 = 0
        for index in 0..<count {
            let offset = headerByteCount + index * descriptorByteCount
            let start = list.bigEndian(at: offset, as: UInt64.self)
            let blockCount = list.bigEndian(at: offset + 8, as: UInt32.self)
            sectorTotal += UInt64(blockCount) * UInt64(blockSize.sectorCount)  // At most 256 times 35 bits.
            guard sectorTotal <= BlockLimits.maximumUnmapSectorCount else {
                throw .invalidFieldInParameterList(byte: offset + 8)
            }
            ranges.append(blockSize.sectors(at: start, count: blockCount))
        }
        return ranges
    }
}
