// SPDX-License-Identifier: Apache-2.0

/// LOG SENSE, SPC-4 §6.8. PC is ignored: it does not apply to parameters that are lists (SPC-4 §7.3.2.2).
struct LogSenseCDB {
    static let parameterPointerByte = 5
    /// SP.
    let saveParameters: Bool
    let pageCode: UInt8
    let subpageCode: UInt8
    /// The first parameter wanted.
    let parameterPointer: UInt16
    let allocationLength: Int

    init(_ cdb: CDB) {
        saveParameters = cdb.bit(0, ofByte: 1)
        pageCode = cdb.byte(2) & 0x3F
        subpageCode = cdb.byte(3)
        parameterPointer = UInt16(cdb.field(at: Self.parameterPointerByte, byteCount: 2))
        allocationLength = Int(cdb.field(at: 7, byteCount: 2))
    }
}
