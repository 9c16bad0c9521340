// SPDX-License-Identifier: Apache-2.0

/// The mode pages there are (SPC-4 §7.5, SBC-3 §6.5); none has subpages.
enum ModePage: UInt8, CaseIterable {
    case disconnectReconnect = 0x02
    case caching = 0x08
    case control = 0x0A
    case informationalExceptions = 0x1C

    private static let allPages: UInt8 = 0x3F
    private static let allSubpages: UInt8 = 0xFF

    /// The pages that MODE SENSE asks for, one after the other.
    static func pages(
        code: UInt8, subpage: UInt8, control: ModeSenseCDB.PageControl, of unit: LogicalUnit
    ) throws(SCSIError) -> [UInt8] {
        let selected = code == allPages ? allCases : ModePage(rawValue: code).map { [$0] } ?? []
        guard !selected.isEmpty else { throw .invalidFieldInCDB(byte: 2, bit: 5) }
        guard subpage == 0 || subpage == allSubpages else { throw .invalidFieldInCDB(byte: 3, bit: 7) }
        return selected.reduce(into: []) { $0 += $1.data(control, of: unit) }
    }

    /// Nothing can be changed, so the mask of changeable bits is zeros in the length of the page.
    private func data(_ control: ModeSenseCDB.PageControl, of unit: LogicalUnit) -> [UInt8] {
        var body = body(of: unit)
        if control == .changeable { body = [UInt8](repeating: 0, count: body.count) }
        return [rawValue, UInt8(body.count)] + body
    }

    private func body(of unit: LogicalUnit) -> [UInt8] {
        switch self {
        case .disconnectReconnect: [UInt8](repeating: 0, count: 14)
        case .caching: CachingModePage.body(of: unit)
        case .control: ControlModePage.body
        case .informationalExceptions: [UInt8](repeating: 0, count: 10)
        }
    }
}
