// SPDX-License-Identifier: Apache-2.0

/// UNMAP, SBC-3 §5.28.
struct UnmapCDB {
    let anchor: Bool
    let parameterListLength: Int

    init(_ cdb: CDB) {
        anchor = cdb.bit(0, ofByte: 1)
        parameterListLength = Int(cdb.field(at: 7, byteCount: 2))
    }
}
