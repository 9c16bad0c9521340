// SPDX-License-Identifier: Apache-2.0

/// WRITE(6), (10), (12) and (16), SBC-3 §5.32-5.36, and ORWRITE(16), §5.7. The group number and the obsolete FUA_NV
/// are ignored.
struct WriteCDB {
    let blocks: BlockFields
    /// WRPROTECT; WRITE(6) has none.
    let protection: UInt8
    let disablePageOut: Bool
    let forceUnitAccess: Bool

    init(_ cdb: CDB) {
        blocks = BlockFields(cdb)
        let flags = cdb.form == .six ? 0 : cdb.byte(1)
        protection = flags >> 5
        disablePageOut = flags & 0x10 != 0
        forceUnitAccess = flags & 0x08 != 0
    }
}
