// SPDX-License-Identifier: Apache-2.0

/// REPORT LUNS, SPC-4 §6.33.
struct ReportLUNsCDB {
    let selectReport: UInt8
    let allocationLength: Int

    init(_ cdb: CDB) {
        selectReport = cdb.byte(2)
        allocationLength = Int(cdb.field(at: 6, byteCount: 4))
    }
}
