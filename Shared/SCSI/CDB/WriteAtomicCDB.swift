// SPDX-License-Identifier: Apache-2.0

/// WRITE ATOMIC(16), SBC-4 §5.42: as WRITE(16), but half of the length is the boundary that no atomic part may cross.
struct WriteAtomicCDB {
    static let boundaryByte = 10
    private static let countByte = 12
    let blocks: BlockFields
    /// WRPROTECT.
    let protection: UInt8
    let disablePageOut: Bool
    let forceUnitAccess: Bool
    /// ATOMIC BOUNDARY in blocks; 0 for none.
    let boundary: UInt16

    init(_ cdb: CDB) {
        blocks = BlockFields(
            address: cdb.field(at: 2, byteCount: 8),
            blockCount: UInt32(cdb.field(at: Self.countByte, byteCount: 2)), countByte: Self.countByte)
        boundary = UInt16(cdb.field(at: Self.boundaryByte, byteCount: 2))
        let flags = cdb.byte(1)
        protection = flags >> 5
        disablePageOut = flags & 0x10 != 0
        forceUnitAccess = flags & 0x08 != 0
    }
}
