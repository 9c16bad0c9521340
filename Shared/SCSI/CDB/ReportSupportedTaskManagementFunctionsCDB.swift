// SPDX-License-Identifier: Apache-2.0

/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, SPC-4 §6.36.
struct ReportSupportedTaskManagementFunctionsCDB {
    /// REPD: the longer form.
    let returnExtendedData: Bool
    let allocationLength: Int

    init(_ cdb: CDB) {
        returnExtendedData = cdb.bit(7, ofByte: 2)
        allocationLength = Int(cdb.field(at: 6, byteCount: 4))
    }
}
