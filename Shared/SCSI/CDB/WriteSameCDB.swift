// SPDX-License-Identifier: Apache-2.0

/// WRITE SAME(10) and (16), SBC-3 §5.43-5.44.
struct WriteSameCDB {
    let blocks: BlockFields
    /// WRPROTECT.
    let protection: UInt8
    let anchor: Bool
    let unmap: Bool
    /// PBDATA or LBDATA of SBC-2, which change what is written.
    let writesAddresses: Bool
    /// NDOB: no data-out, zeros are meant. Only WRITE SAME(16) has it.
    let noDataOut: Bool

    init(_ cdb: CDB) {
        blocks = BlockFields(cdb)
        let flags = cdb.byte(1)
        protection = flags >> 5
        anchor = flags & 0x10 != 0
        unmap = flags & 0x08 != 0
        writesAddresses = flags & 0x06 != 0
        noDataOut = cdb.form == .sixteen && flags & 0x01 != 0
    }
}
