// SPDX-License-Identifier: Apache-2.0
import Wire

/// MODE SELECT parameter list, SPC-4 §7.5.4-7.5.7: what MODE SENSE gave, with some bits changed. Only one of them can
/// be, SWP; what else differs is refused with the byte where it does.
///
/// | bytes of (6) | of (10) | field |
/// | --- | --- | --- |
/// | 0 | 0-1 | mode data length; reserved here |
/// | 1 | 2 | medium type |
/// | 2 | 3 | device-specific parameter; what of it we use cannot be set |
/// | | 4 | LONGLBA 01h |
/// | 3 | 6-7 | block descriptor length |
/// | 4... | 8... | block descriptors, mode pages |
struct ModeSelectParameterList {
    private static let subpageFormat: UInt8 = 0x40
    private static let softwareWriteProtectByte = 4

    /// Nil when the list does not say.
    private(set) var isSoftwareWriteProtected: Bool?

    /// - Parameter length: PARAMETER LIST LENGTH, not 0.
    init(
        _ list: RawSpan, length: Int, isLong: Bool, of unit: LogicalUnit, _ parameters: ModeParameters
    ) throws(SCSIError) {
        let headerByteCount = isLong ? 8 : 4
        guard length >= headerByteCount, list.byteCount >= length else { throw .parameterListLengthError }
        let lengthByte = isLong ? 6 : 3
        let descriptorByteCount =
            isLong
            ? Int(list.bigEndian(at: lengthByte, as: UInt16.self)) : Int(list.bigEndian(at: lengthByte, as: UInt8.self))
        let hasLongDescriptor = isLong && list.bigEndian(at: 4, as: UInt8.self) & 0x01 != 0
        if descriptorByteCount > 0 {
            guard descriptorByteCount == (hasLongDescriptor ? 16 : 8) else {
                throw .invalidFieldInParameterList(byte: lengthByte)
            }
            guard descriptorByteCount <= length - headerByteCount else { throw .parameterListLengthError }
            try Self.checkDescriptor(
                in: list, at: headerByteCount, isLong: hasLongDescriptor, of: unit)
        }
        var offset = headerByteCount + descriptorByteCount
        while offset < length {
            offset += try take(in: list, at: offset, end: length, of: unit, parameters)
        }
    }

    /// The number of blocks may be left as it is, also by saying 0 or, where it does not fit, all ones.
    private static func checkDescriptor(
        in list: RawSpan, at offset: Int, isLong: Bool, of unit: LogicalUnit
    ) throws(SCSIError) {
        let count: UInt64
        let expected: UInt64
        if isLong {
            count = list.bigEndian(at: offset, as: UInt64.self)
            expected = unit.blockCount
        } else {
            count = UInt64(list.bigEndian(at: offset, as: UInt32.self))
            expected = UInt64(UInt32(clamping: unit.blockCount))
        }
        guard count == 0 || count == expected else { throw .invalidFieldInParameterList(byte: offset) }
        let sizeByte = offset + (isLong ? 12 : 4)
        // In the short one the byte before the three of the size is a density code or reserved.
        let mask: UInt32 = isLong ? .max : 0xFF_FFFF
        guard list.bigEndian(at: sizeByte, as: UInt32.self) & mask == unit.blockSize.rawValue else {
            throw .invalidFieldInParameterList(byte: sizeByte)
        }
    }

    /// Checks the page at `offset` and takes what can be changed from it; returns its length. PS is ignored.
    private mutating func take(
        in list: RawSpan, at offset: Int, end: Int, of unit: LogicalUnit, _ parameters: ModeParameters
    ) throws(SCSIError) -> Int {
        let first = list.bigEndian(at: offset, as: UInt8.self) & 0x7F
        let hasSubpage = first & Self.subpageFormat != 0
        guard end - offset >= (hasSubpage ? 4 : 2) else { throw .parameterListLengthError }
        let code = first & ~Self.subpageFormat
        let subpage = hasSubpage ? list.bigEndian(at: offset + 1, as: UInt8.self) : 0
        guard let page = ModePage.allCases.first(where: { $0.code == code && $0.subpage == subpage }) else {
            throw .invalidFieldInParameterList(byte: offset)
        }
        let current = page.data(.current, of: unit, parameters)
        let changeable = page.data(.changeable, of: unit, parameters)
        let lengthByte = offset + (hasSubpage ? 2 : 1)
        let byteCount =
            hasSubpage
            ? 4 + Int(list.bigEndian(at: lengthByte, as: UInt16.self))
            : 2 + Int(list.bigEndian(at: lengthByte, as: UInt8.self))
        guard byteCount == current.count else { throw .invalidFieldInParameterList(byte: lengthByte) }
        guard byteCount <= end - offset else { throw .parameterListLengthError }
        for index in (hasSubpage ? 4 : 2)..<byteCount {
            let change = list.bigEndian(at: offset + index, as: UInt8.self) ^ current[index]
            if change & ~changeable[index] != 0 { throw .invalidFieldInParameterList(byte: offset + index) }
        }
        if page == .control {
            let flags = list.bigEndian(at: offset + Self.softwareWriteProtectByte, as: UInt8.self)
            isSoftwareWriteProtected = flags & 0x08 != 0
        }
        return byteCount
    }
}
