// SPDX-License-Identifier: Apache-2.0

/// PRE-FETCH(10) and (16), SBC-3 §5.9-5.10. IMMED and the group number are hints.
struct PrefetchCDB {
    /// A count of 0 means up to the end of the medium.
    let blocks: BlockFields

    init(_ cdb: CDB) { blocks = BlockFields(cdb) }
}
