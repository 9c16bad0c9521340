// SPDX-License-Identifier: Apache-2.0

/// INQUIRY, SPC-4 §6.6.
struct InquiryCDB {
    let vitalProductData: Bool
    /// CMDDT of SPC-2, obsolete.
    let commandSupportData: Bool
    let pageCode: UInt8
    let allocationLength: Int

    init(_ cdb: CDB) {
        vitalProductData = cdb.bit(0, ofByte: 1)
        commandSupportData = cdb.bit(1, ofByte: 1)
        pageCode = cdb.byte(2)
        allocationLength = Int(cdb.field(at: 3, byteCount: 2))
    }
}
