// SPDX-License-Identifier: Apache-2.0

/// RECEIVE COPY STATUS(LID1) and RECEIVE COPY OPERATING PARAMETERS, SPC-4 §6.25 and §6.27.
struct ReceiveCopyResultsCDB {
    /// Only of RECEIVE COPY STATUS.
    let listIdentifier: UInt8
    let allocationLength: Int

    init(_ cdb: CDB) {
        listIdentifier = cdb.byte(2)
        allocationLength = Int(cdb.field(at: 10, byteCount: 4))
    }
}
