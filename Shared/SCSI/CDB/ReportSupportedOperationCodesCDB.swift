// SPDX-License-Identifier: Apache-2.0

/// REPORT SUPPORTED OPERATION CODES, SPC-4 §6.35.
struct ReportSupportedOperationCodesCDB {
    /// RCTD.
    let returnTimeouts: Bool
    let reportingOptions: UInt8
    let requestedOperationCode: UInt8
    let requestedServiceAction: UInt16
    let allocationLength: Int

    init(_ cdb: CDB) {
        returnTimeouts = cdb.bit(7, ofByte: 2)
        reportingOptions = cdb.byte(2) & 0x07
        requestedOperationCode = cdb.byte(3)
        requestedServiceAction = UInt16(cdb.field(at: 4, byteCount: 2))
        allocationLength = Int(cdb.field(at: 6, byteCount: 4))
    }
}
