// SPDX-License-Identifier: Apache-2.0

/// READ(6), (10), (12) and (16), SBC-3 §5.11-5.15. RARC and the group number are hints that we do not need.
struct ReadCDB {
    let blocks: BlockFields
    /// RDPROTECT; READ(6) has none.
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
