// SPDX-License-Identifier: Apache-2.0

/// READ CAPACITY(16), SBC-3 §5.17. Its address and PMI are obsolete, as all fields of READ CAPACITY(10) are.
struct ReadCapacity16CDB {
    static let serviceAction: UInt8 = 0x10
    let allocationLength: Int

    init(_ cdb: CDB) { allocationLength = Int(cdb.field(at: 10, byteCount: 4)) }
}
