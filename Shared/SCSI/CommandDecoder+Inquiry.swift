// SPDX-License-Identifier: Apache-2.0

/// INQUIRY, which is answered on every path alike, whatever the unit's state.
extension CommandDecoder {
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
}
