// SPDX-License-Identifier: Apache-2.0

/// SANITIZE, SBC-3 §5.20.
struct SanitizeCDB {
    /// IMMED.
    let immediate: Bool
    /// ZNR of ZBC, which a disk keeps reserved.
    let zonesNotReset: Bool
    /// AUSE: a failure may be left by EXIT FAILURE MODE.
    let allowsUnrestrictedExit: Bool
    /// Of bytes 2-6 the first that is not 0.
    let firstReservedByteSet: Int?
    let parameterListLength: Int

    init(_ cdb: CDB) {
        immediate = cdb.bit(7, ofByte: 1)
        zonesNotReset = cdb.bit(6, ofByte: 1)
        allowsUnrestrictedExit = cdb.bit(5, ofByte: 1)
        firstReservedByteSet = (2...6).first { cdb.byte($0) != 0 }
        parameterListLength = Int(cdb.field(at: 7, byteCount: 2))
    }
}
