// SPDX-License-Identifier: Apache-2.0

/// MODE SELECT(6) and (10), SPC-4 §6.11-6.12.
struct ModeSelectCDB {
    /// MODE SELECT(10): a longer header.
    let isLong: Bool
    /// PF: the pages have the format of the standard.
    let pageFormat: Bool
    /// SP: the pages are to outlive a power-off.
    let savePages: Bool
    let parameterListLength: Int

    init(_ cdb: CDB) {
        isLong = cdb.form == .ten
        pageFormat = cdb.bit(4, ofByte: 1)
        savePages = cdb.bit(0, ofByte: 1)
        parameterListLength = isLong ? Int(cdb.field(at: 7, byteCount: 2)) : Int(cdb.byte(4))
    }
}
