// SPDX-License-Identifier: Apache-2.0

/// VERIFY and WRITE AND VERIFY(10), (12) and (16), SBC-3 §5.29-5.31 and §5.38-5.41. The group number is a hint.
struct VerifyCDB {
    let blocks: BlockFields
    /// VRPROTECT or WRPROTECT.
    let protection: UInt8
    let disablePageOut: Bool
    /// BYTCHK: 0 not, 1 with as many blocks of data-out, 3 with one of them, 2 reserved.
    let byteCheck: UInt8

    init(_ cdb: CDB) {
        blocks = BlockFields(cdb)
        let flags = cdb.byte(1)
        protection = flags >> 5
        disablePageOut = flags & 0x10 != 0
        byteCheck = flags >> 1 & 0x03
    }
}
