// SPDX-License-Identifier: Apache-2.0

/// REQUEST SENSE, SPC-4 §6.39.
struct RequestSenseCDB {
    let format: Sense.Format
    let allocationLength: Int

    init(_ cdb: CDB) {
        format = cdb.bit(0, ofByte: 1) ? .descriptor : .fixed
        allocationLength = Int(cdb.byte(4))
    }
}
