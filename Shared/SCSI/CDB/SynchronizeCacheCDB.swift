// SPDX-License-Identifier: Apache-2.0

/// SYNCHRONIZE CACHE(10) and (16), SBC-3 §5.26. IMMED would allow an answer before the data is durable; we never give
/// one.
struct SynchronizeCacheCDB {
    /// A count of 0 means up to the end of the medium.
    let blocks: BlockFields

    init(_ cdb: CDB) { blocks = BlockFields(cdb) }
}
