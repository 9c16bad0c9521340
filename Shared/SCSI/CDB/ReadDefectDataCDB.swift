// SPDX-License-Identifier: Apache-2.0

/// READ DEFECT DATA(10) and (12), SBC-3 §5.16-5.17.
struct ReadDefectDataCDB {
    /// READ DEFECT DATA(12): a longer header.
    let isLong: Bool
    /// REQ_PLIST, REQ_GLIST and the format wanted, placed as the reply repeats them.
    let request: UInt8
    let allocationLength: Int

    init(_ cdb: CDB) {
        isLong = cdb.form == .twelve
        request = cdb.byte(isLong ? 1 : 2) & 0x1F
        allocationLength = Int(isLong ? cdb.field(at: 6, byteCount: 4) : cdb.field(at: 7, byteCount: 2))
    }
}
