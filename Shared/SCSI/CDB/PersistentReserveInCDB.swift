// SPDX-License-Identifier: Apache-2.0

/// PERSISTENT RESERVE IN, SPC-4 §6.15.
struct PersistentReserveInCDB {
    let allocationLength: Int

    init(_ cdb: CDB) { allocationLength = Int(cdb.field(at: 7, byteCount: 2)) }
}
