// SPDX-License-Identifier: Apache-2.0

/// The mode pages there are (SPC-4 §7.5, SBC-3 §6.5), in the order of their codes and subpages.
enum ModePage: CaseIterable {
    case disconnectReconnect
    case caching
    case control
    case informationalExceptions
    case logicalBlockProvisioning

    private static let allPages: UInt8 = 0x3F
    private static let allSubpages: UInt8 = 0xFF
    /// SPF: the page has a subpage code and a longer length.
    private static let subpageFormat: UInt8 = 0x40

    var code: UInt8 {
        switch self {
        case .disconnectReconnect: 0x02
        case .caching: 0x08
        case .control: 0x0A
        case .informationalExceptions, .logicalBlockProvisioning: 0x1C
        }
    }

    var subpage: UInt8 { self == .logicalBlockProvisioning ? 0x02 : 0x00 }

    /// What MODE SENSE asks for.
    static func pages(_ fields: ModeSenseCDB) throws(SCSIError) -> [Self] {
        let ofCode = fields.pageCode == allPages ? allCases : allCases.filter { $0.code == fields.pageCode }
        guard !ofCode.isEmpty else { throw .invalidFieldInCDB(byte: 2, bit: 5) }
        let selected =
            switch fields.subpageCode {
            case allSubpages: ofCode
            case 0: ofCode.filter { $0.subpage == 0 }
            // The subpage of all pages is not something that pages have in common.
            default: fields.pageCode == allPages ? [] : ofCode.filter { $0.subpage == fields.subpageCode }
            }
        guard !selected.isEmpty else { throw .invalidFieldInCDB(byte: 3, bit: 7) }
        return selected
    }

    func data(_ control: ModeSenseCDB.PageControl, of unit: LogicalUnit, _ parameters: ModeParameters) -> [UInt8] {
        let body =
            switch control {
            case .current, .saved: body(of: unit, parameters)
            case .changeable: changeableBody(of: unit)
            case .defaults: body(of: unit, defaults(of: parameters))
            }
        guard subpage != 0 else { return [code, UInt8(body.count)] + body }
        var data = [Self.subpageFormat | code, subpage]
        data.appendBigEndian(UInt16(body.count))
        return data + body
    }

    /// What a reset restores: everything but the bits that MODE SELECT may change.
    private func defaults(of parameters: ModeParameters) -> ModeParameters {
        ModeParameters(softThresholdSectorCount: parameters.softThresholdSectorCount)
    }

    /// The mask of the bits that MODE SELECT may change, as long as the page.
    private func changeableBody(of unit: LogicalUnit) -> [UInt8] {
        if self == .control { return ControlModePage.changeableBody }
        return [UInt8](repeating: 0, count: body(of: unit, ModeParameters()).count)
    }

    private func body(of unit: LogicalUnit, _ parameters: ModeParameters) -> [UInt8] {
        switch self {
        case .disconnectReconnect: [UInt8](repeating: 0, count: 14)
        case .caching: CachingModePage.body(of: unit)
        case .control: ControlModePage.body(of: parameters)
        case .informationalExceptions: [UInt8](repeating: 0, count: 10)
        case .logicalBlockProvisioning: LogicalBlockProvisioningModePage.body(of: parameters)
        }
    }
}
