// SPDX-License-Identifier: Apache-2.0

/// The log pages there are (SPC-4 §7.3, SBC-3 §6.4), by code and subpage.
enum LogPage: UInt16, CaseIterable {
    case supportedPages = 0x0000
    case supportedPagesAndSubpages = 0x00FF
    case logicalBlockProvisioning = 0x0C00

    /// DS: nothing of them is ever saved.
    private static let disableSave: UInt8 = 0x80
    private static let subpageFormat: UInt8 = 0x40

    private var code: UInt8 { UInt8(rawValue >> 8) }
    private var subpage: UInt8 { UInt8(rawValue & 0xFF) }

    init(code: UInt8, subpage: UInt8) throws(SCSIError) {
        guard let page = LogPage(rawValue: UInt16(code) << 8 | UInt16(subpage)) else {
            let isOfKnownCode = Self.allCases.contains { $0.code == code }
            throw isOfKnownCode ? .invalidFieldInCDB(byte: 3, bit: 7) : .invalidFieldInCDB(byte: 2, bit: 5)
        }
        self = page
    }

    /// With the header, whose PAGE LENGTH counts what follows it.
    func data(_ body: [UInt8]) -> [UInt8] {
        var data = [Self.disableSave | (subpage == 0 ? 0 : Self.subpageFormat) | code, subpage]
        data.appendBigEndian(UInt16(body.count))
        return data + body
    }

    static var codes: [UInt8] { allCases.filter { $0.subpage == 0 }.map(\.code) }
    static var codesAndSubpages: [UInt8] { allCases.flatMap { [$0.code, $0.subpage] } }
}
