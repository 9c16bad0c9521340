// SPDX-License-Identifier: Apache-2.0
import Wire

/// EXTENDED COPY(LID1) parameter list, SPC-4 §6.4. The checks come in the order that initiators' tests expect: lengths,
/// targets, segments.
///
/// | bytes | field |
/// | --- | --- |
/// | 0 | list identifier |
/// | 1 | STR 20h, LIST ID USAGE 18h, priority 07h |
/// | 2-3 | target descriptor list length |
/// | 4-7 | reserved |
/// | 8-11 | segment descriptor list length |
/// | 12-15 | inline data length |
/// | 16... | target descriptors, segment descriptors, inline data |
struct CopyParameterList {
    enum SegmentType: UInt8 {
        /// Block device to block device.
        case blocks = 0x02
        /// The same with a count of bytes and offsets in bytes.
        case bytes = 0x0A

        var byteCount: Int { self == .blocks ? 28 : 32 }
    }

    struct Target: Equatable {
        /// NAA; nil for a unit that is named in another way.
        var designator: [UInt8]?
        /// Nil when the initiator did not say.
        var blockSize: LogicalBlockSize?
        /// Where it says so, for field pointers.
        var blockSizeByte: Int
    }

    struct Segment: Equatable {
        enum Length: Equatable {
            /// Of the source, or of the destination (DC).
            case blocks(UInt32, ofDestination: Bool)
            case sectors(UInt32)
        }

        var sourceIndex: Int
        var destinationIndex: Int
        /// In blocks of the source.
        var sourceStart: UInt64
        /// In blocks of the destination.
        var destinationStart: UInt64
        var length: Length
        /// Of the length, for field pointers.
        var lengthByte: Int
    }

    static let headerByteCount = 16
    static let identificationTargetType: UInt8 = 0xE4
    private static let targetByteCount = 32
    private static let maximumDesignatorByteCount = 20

    let listID: UInt8
    /// LIST ID USAGE is not 11b: the initiator may ask for the status.
    let keepsStatus: Bool
    let targets: [Target]
    let segments: [Segment]

    /// - Parameter length: PARAMETER LIST LENGTH, not 0.
    init(_ list: RawSpan, length: Int) throws(SCSIError) {
        guard length >= Self.headerByteCount, list.byteCount >= length else { throw .parameterListLengthError }
        let targetsByteCount = Int(list.bigEndian(at: 2, as: UInt16.self))
        let segmentsByteCount = Int(list.bigEndian(at: 8, as: UInt32.self))
        let inlineByteCount = Int(list.bigEndian(at: 12, as: UInt32.self))
        // Three fields of at most 32 bits: the sum cannot overflow.
        let descriptorsByteCount = targetsByteCount + segmentsByteCount
        guard Self.headerByteCount + descriptorsByteCount + inlineByteCount <= length,
            descriptorsByteCount <= CopyLimits.maximumDescriptorListByteCount,
            targetsByteCount.isMultiple(of: Self.targetByteCount)
        else { throw .parameterListLengthError }
        if inlineByteCount != 0 { throw .invalidFieldInParameterList(byte: 12) }

        let usage = list.bigEndian(at: 1, as: UInt8.self) >> 3 & 0x03
        if usage == 1 { throw .invalidFieldInParameterList(byte: 1) }
        listID = list.bigEndian(at: 0, as: UInt8.self)
        keepsStatus = usage != 3
        let segmentsStart = Self.headerByteCount + targetsByteCount
        targets = try Self.targets(in: list, count: targetsByteCount / Self.targetByteCount)
        segments = try Self.segments(in: list, segmentsStart..<(segmentsStart + segmentsByteCount))
    }

    private static func targets(in list: RawSpan, count: Int) throws(SCSIError) -> [Target] {
        guard count <= CopyLimits.maximumTargetCount else { throw .tooManyTargetDescriptors }
        var targets: [Target] = []
        for index in 0..<count {
            targets.append(try target(in: list, at: headerByteCount + index * targetByteCount))
        }
        return targets
    }

    /// Identification descriptor target descriptor, SPC-4 §6.4.5.3. Peripheral device type and LU ID TYPE are ignored:
    /// the designator says it all.
    private static func target(in list: RawSpan, at offset: Int) throws(SCSIError) -> Target {
        guard list.bigEndian(at: offset, as: UInt8.self) == identificationTargetType else {
            throw .unsupportedTargetDescriptorType(byte: offset)
        }
        let designatorByteCount = Int(list.bigEndian(at: offset + 7, as: UInt8.self))
        guard designatorByteCount <= maximumDesignatorByteCount else {
            throw .invalidFieldInParameterList(byte: offset + 7)
        }
        let blockByteCount = list.bigEndian(at: offset + 28, as: UInt32.self) & 0xFF_FFFF
        let blockSize = LogicalBlockSize(rawValue: blockByteCount)
        guard blockByteCount == 0 || blockSize != nil else {
            throw .invalidFieldInParameterList(byte: offset + 29)
        }
        // Binary, and the NAA name of a logical unit.
        let isBinary = list.bigEndian(at: offset + 4, as: UInt8.self) & 0x0F == 1
        let isUnitNAA = list.bigEndian(at: offset + 5, as: UInt8.self) & 0x3F == 3
        let designator = (0..<designatorByteCount).map { list.bigEndian(at: offset + 8 + $0, as: UInt8.self) }
        return Target(
            designator: isBinary && isUnitNAA ? designator : nil, blockSize: blockSize, blockSizeByte: offset + 29)
    }

    private static func segments(in list: RawSpan, _ bytes: Range<Int>) throws(SCSIError) -> [Segment] {
        var segments: [Segment] = []
        var offset = bytes.lowerBound
        while offset < bytes.upperBound {
            guard bytes.upperBound - offset >= 4 else { throw .parameterListLengthError }
            let byteCount = 4 + Int(list.bigEndian(at: offset + 2, as: UInt16.self))
            guard byteCount <= bytes.upperBound - offset else { throw .parameterListLengthError }
            guard let type = SegmentType(rawValue: list.bigEndian(at: offset, as: UInt8.self)) else {
                throw .unsupportedSegmentDescriptorType(byte: offset)
            }
            guard byteCount == type.byteCount else { throw .invalidFieldInParameterList(byte: offset + 2) }
            guard segments.count < CopyLimits.maximumSegmentCount else { throw .tooManySegmentDescriptors }
            segments.append(try segment(type, in: list, at: offset))
            offset += byteCount
        }
        return segments
    }

    /// SPC-4 §6.4.6.3 and §6.4.6.11.
    private static func segment(
        _ type: SegmentType, in list: RawSpan, at offset: Int
    ) throws(SCSIError) -> Segment {
        let countByte = offset + (type == .blocks ? 10 : 8)
        let length: Segment.Length
        switch type {
        case .blocks:
            let isOfDestination = list.bigEndian(at: offset + 1, as: UInt8.self) & 0x02 != 0
            length = .blocks(
                UInt32(list.bigEndian(at: countByte, as: UInt16.self)), ofDestination: isOfDestination)
        case .bytes:
            let byteCount = list.bigEndian(at: countByte, as: UInt32.self)
            guard byteCount.isMultiple(of: UInt32(Geometry.sectorByteCount)) else {
                throw .invalidFieldInParameterList(byte: countByte)
            }
            length = .sectors(byteCount / UInt32(Geometry.sectorByteCount))
            for offsetByte in [offset + 28, offset + 30] where list.bigEndian(at: offsetByte, as: UInt16.self) != 0 {
                throw .invalidFieldInParameterList(byte: offsetByte)
            }
        }
        return Segment(
            sourceIndex: Int(list.bigEndian(at: offset + 4, as: UInt16.self)),
            destinationIndex: Int(list.bigEndian(at: offset + 6, as: UInt16.self)),
            sourceStart: list.bigEndian(at: offset + 12, as: UInt64.self),
            destinationStart: list.bigEndian(at: offset + 20, as: UInt64.self), length: length, lengthByte: countByte)
    }
}
