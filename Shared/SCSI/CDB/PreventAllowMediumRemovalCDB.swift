// SPDX-License-Identifier: Apache-2.0

/// PREVENT ALLOW MEDIUM REMOVAL, SBC-3 §5.8. Of the two bits the higher is obsolete and means the same.
struct PreventAllowMediumRemovalCDB {
    let prevent: Bool

    init(_ cdb: CDB) { prevent = cdb.byte(4) & 0x03 != 0 }
}
