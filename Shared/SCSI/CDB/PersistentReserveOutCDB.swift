// SPDX-License-Identifier: Apache-2.0

/// PERSISTENT RESERVE OUT, SPC-4 §6.16.
struct PersistentReserveOutCDB {
    /// Nothing but the whole unit, 0, is defined.
    let scope: UInt8
    let type: UInt8
    let parameterListLength: Int

    init(_ cdb: CDB) {
        scope = cdb.byte(2) >> 4
        type = cdb.byte(2) & 0x0F
        parameterListLength = Int(cdb.field(at: 5, byteCount: 4))
    }
}
