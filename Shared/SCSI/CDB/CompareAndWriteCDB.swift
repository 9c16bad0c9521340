// SPDX-License-Identifier: Apache-2.0

/// COMPARE AND WRITE, SBC-3 §5.2.
struct CompareAndWriteCDB {
    static let countByte = 13
    let address: UInt64
    let sectorCount: UInt32
    /// WRPROTECT.
    let protection: UInt8
    let disablePageOut: Bool
    let forceUnitAccess: Bool

    init(_ cdb: CDB) {
        address = cdb.field(at: 2, byteCount: 8)
        sectorCount = UInt32(cdb.byte(Self.countByte))
        let flags = cdb.byte(1)
        protection = flags >> 5
        disablePageOut = flags & 0x10 != 0
        forceUnitAccess = flags & 0x08 != 0
    }
}
