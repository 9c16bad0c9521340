// SPDX-License-Identifier: Apache-2.0

/// The vital product data pages there are (SPC-4 §7.8, SBC-3 §6.6). Page 00 lists exactly these, in this order.
enum VitalProductDataPage: UInt8, CaseIterable {
    case supportedPages = 0x00
    case unitSerialNumber = 0x80
    case deviceIdentification = 0x83
    case extendedInquiry = 0x86
    case thirdPartyCopy = 0x8F
    case blockLimits = 0xB0
    case blockDeviceCharacteristics = 0xB1
    case logicalBlockProvisioning = 0xB2

    /// With the header, whose PAGE LENGTH counts what follows it.
    func data(of unit: LogicalUnit) -> [UInt8] {
        let body = body(of: unit)
        var data: [UInt8] = [0x00, rawValue]
        data.appendBigEndian(UInt16(body.count))
        return data + body
    }

    private func body(of unit: LogicalUnit) -> [UInt8] {
        switch self {
        case .supportedPages: Self.allCases.map(\.rawValue)
        case .unitSerialNumber: [UInt8](unit.serialNumber.utf8)
        case .deviceIdentification: DeviceIdentificationPage.body(of: unit)
        case .extendedInquiry: ExtendedInquiryPage.body(of: unit)
        case .thirdPartyCopy: ThirdPartyCopyPage.body
        case .blockLimits: BlockLimitsPage.body(of: unit)
        case .blockDeviceCharacteristics: BlockDeviceCharacteristicsPage.body(of: unit)
        case .logicalBlockProvisioning: LogicalBlockProvisioningPage.body(of: unit)
        }
    }
}
