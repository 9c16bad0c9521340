// SPDX-License-Identifier: Apache-2.0

/// REPORT TARGET PORT GROUPS, SPC-4 §6.37.
struct ReportTargetPortGroupsCDB {
    /// PARAMETER DATA FORMAT: 0 without, 1 with an extended header.
    let parameterDataFormat: UInt8
    let allocationLength: Int

    init(_ cdb: CDB) {
        parameterDataFormat = cdb.byte(1) >> 5
        allocationLength = Int(cdb.field(at: 6, byteCount: 4))
    }
}
