// SPDX-License-Identifier: Apache-2.0
import Wire

/// The commands that describe the unit.
extension DeviceServer {
    func inquiry(_ fields: InquiryCDB) throws(SCSIError) -> CommandResult {
        try checkPage(fields)
        guard fields.vitalProductData else {
            return CommandResult(dataIn: StandardInquiry.data(of: unit), allocationLength: fields.allocationLength)
        }
        guard let page = VitalProductDataPage(rawValue: fields.pageCode) else {
            throw .invalidFieldInCDB(byte: 2, bit: 7)
        }
        return CommandResult(dataIn: page.data(of: unit), allocationLength: fields.allocationLength)
    }

    /// Says "no unit here, and none could be" in the first byte. Of the pages only the list of pages is given: the
    /// others would name LUN 0 under another number.
    func inquiryOfAbsentUnit(_ fields: InquiryCDB) throws(SCSIError) -> CommandResult {
        try checkPage(fields)
        var data: [UInt8]
        if fields.vitalProductData {
            let supported = VitalProductDataPage.supportedPages
            guard fields.pageCode == supported.rawValue else { throw .invalidFieldInCDB(byte: 2, bit: 7) }
            data = [0, supported.rawValue, 0, 1, supported.rawValue]
        } else {
            data = StandardInquiry.data(of: unit)
        }
        data[0] = 0x7F
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    private func checkPage(_ fields: InquiryCDB) throws(SCSIError) {
        if fields.commandSupportData { throw .invalidFieldInCDB(byte: 1, bit: 1) }
        if !fields.vitalProductData, fields.pageCode != 0 { throw .invalidFieldInCDB(byte: 2, bit: 7) }
    }

    /// The pending unit attention, else what keeps the unit from serving, else nothing; always GOOD.
    func requestSense(_ fields: RequestSenseCDB, attentions: inout UnitAttentionQueue) -> CommandResult {
        var sense = Sense.none
        if let attention = attentions.takeFirst() {
            sense = SCSIError.unitAttention(attention).sense
        } else {
            do throws(SCSIError) { try unit.checkReady() } catch { sense = error.sense }
        }
        return CommandResult(dataIn: sense.encoded(fields.format), allocationLength: fields.allocationLength)
    }

    /// One target has one unit, number 0, and no well-known ones.
    func reportLUNs(_ fields: ReportLUNsCDB, attentions: inout UnitAttentionQueue) throws(SCSIError) -> CommandResult {
        let list: [UInt8]
        switch fields.selectReport {
        case 0, 2: list = [UInt8](repeating: 0, count: 8)
        case 1: list = []
        default: throw .invalidFieldInCDB(byte: 2, bit: 7)
        }
        attentions.remove(.reportedLUNsDataHasChanged)
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(list.count))
        data.appendZeros(4)
        data += list
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    /// Has no allocation length; an address that does not fit sends the initiator to READ CAPACITY(16).
    func readCapacity10() -> CommandResult {
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(clamping: unit.sectorCount - 1))
        data.appendBigEndian(UInt32(Geometry.sectorByteCount))
        return CommandResult(dataIn: data, allocationLength: data.count)
    }

    /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT stays 0 although the map's unit is 4 KiB. With 3, GET LBA STATUS
    /// would have to round its first address up to satisfy conformance tests, and qemu takes any first address but its
    /// own for an I/O error. The granularities in the block limits page tell initiators about the 4 KiB all the same.
    func readCapacity16(_ fields: ReadCapacity16CDB) -> CommandResult {
        var data: [UInt8] = []
        data.appendBigEndian(unit.sectorCount - 1)
        data.appendBigEndian(UInt32(Geometry.sectorByteCount))
        data += [0, 0, 0xC0, 0]  // No protection; exponent 0; LBPME and LBPRZ, aligned at 0.
        data.appendZeros(16)
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    func modeSense(_ fields: ModeSenseCDB) throws(SCSIError) -> CommandResult {
        if fields.pageControl == .saved { throw .savingParametersNotSupported }
        let pages = try ModePage.pages(
            code: fields.pageCode, subpage: fields.subpageCode, control: fields.pageControl, of: unit)
        let header = ModeParameterHeader(
            isLong: fields.isLong, hasBlockDescriptor: !fields.disableBlockDescriptors,
            usesLongAddresses: fields.longAddressesAccepted)
        return CommandResult(
            dataIn: header.data(of: unit, pages: pages), allocationLength: fields.allocationLength)
    }
}
