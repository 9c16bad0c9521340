// SPDX-License-Identifier: Apache-2.0
import Wire

/// What one EXTENDED COPY may ask for, as RECEIVE COPY OPERATING PARAMETERS announces it. Each limit can be exceeded
/// without exceeding another: descriptors of one more target or segment still fit the list.
enum CopyLimits {
    static let maximumTargetCount = 8
    static let maximumSegmentCount = 64
    /// Of target and segment descriptors together.
    static let maximumDescriptorListByteCount = 4096
    /// 16 MiB: each is one request to its volumes.
    static let maximumSegmentSectorCount = BlockLimits.requestSectorCount
    static let maximumConcurrentCopyCount = 8

    /// RECEIVE COPY OPERATING PARAMETERS, SPC-4 §6.18.4.
    static var operatingParameters: [UInt8] {
        let descriptorTypes: [UInt8] = [
            CopyParameterList.SegmentType.blocks.rawValue, CopyParameterList.SegmentType.bytes.rawValue,
            CopyParameterList.identificationTargetType,
        ]
        var data: [UInt8] = [0x01, 0, 0, 0]  // SNLID: list identifiers need not be used.
        data.appendBigEndian(UInt16(maximumTargetCount))
        data.appendBigEndian(UInt16(maximumSegmentCount))
        data.appendBigEndian(UInt32(maximumDescriptorListByteCount))
        data.appendBigEndian(maximumSegmentSectorCount * UInt32(Geometry.sectorByteCount))
        data.appendZeros(12)  // No inline data, no held data, no streams.
        data.appendZeros(2)
        data.appendBigEndian(UInt16(maximumConcurrentCopyCount))
        data.append(UInt8(maximumConcurrentCopyCount))
        data += [9, 0, 0]  // Segments are counted in sectors: 2 to the 9th bytes.
        data.appendZeros(3)
        data.append(UInt8(descriptorTypes.count))
        data += descriptorTypes
        var length: [UInt8] = []
        length.appendBigEndian(UInt32(data.count))
        return length + data
    }
}
