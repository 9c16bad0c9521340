// SPDX-License-Identifier: Apache-2.0

/// What initiators were told of the unit, or will be once they have taken their unit attentions; in the unit's state,
/// so that nothing that changed while its owner was not running, or just before it ended, goes untold.
struct ToldUnit: Equatable, Codable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case sectorCount = "sectors"
        case isReadOnly = "readOnly"
        case isWriteCacheEnabled = "writeCache"
        case inquiryData = "inquiry"
    }

    let sectorCount: UInt64
    let isReadOnly: Bool
    let isWriteCacheEnabled: Bool
    /// FNV-1a over the INQUIRY data that name it: only whether they are others matters.
    let inquiryData: HexadecimalDigest

    struct HexadecimalDigest: HexadecimalNumber, Equatable, Sendable { let rawValue: UInt64 }

    init(_ unit: LogicalUnit) {
        sectorCount = unit.sectorCount
        isReadOnly = unit.isReadOnly
        isWriteCacheEnabled = unit.isWriteCacheEnabled
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in StandardInquiry.data(of: unit) + DeviceIdentificationPage.body(of: unit) {
            digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        inquiryData = HexadecimalDigest(rawValue: digest)
    }

    /// Oldest first.
    func attentions(for unit: Self) -> [UnitAttention] {
        var attentions: [UnitAttention] = []
        if unit.sectorCount != sectorCount { attentions.append(.capacityDataHasChanged) }
        if unit.isReadOnly != isReadOnly || unit.isWriteCacheEnabled != isWriteCacheEnabled {
            attentions.append(.modeParametersChanged)
        }
        if unit.inquiryData != inquiryData { attentions.append(.inquiryDataHasChanged) }
        return attentions
    }
}
