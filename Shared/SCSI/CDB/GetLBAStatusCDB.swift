// SPDX-License-Identifier: Apache-2.0

/// GET LBA STATUS, SBC-3 §5.5.
struct GetLBAStatusCDB {
    static let serviceAction: UInt8 = 0x12
    let address: UInt64
    let allocationLength: Int

    init(_ cdb: CDB) {
        address = cdb.field(at: 2, byteCount: 8)
        allocationLength = Int(cdb.field(at: 10, byteCount: 4))
    }
}
