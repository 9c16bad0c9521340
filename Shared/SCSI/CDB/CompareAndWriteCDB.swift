// SPDX-License-Identifier: Apache-2.0

/// COMPARE AND WRITE, SBC-3 §5.2.
struct CompareAndWriteCDB {
    private static let countByte = 13
    let blocks: BlockFields
    /// WRPROTECT.
    let protection: UInt8
    let disablePageOut: Bool
    let forceUnitAccess: Bool

    init(_ cdb: CDB) {
        blocks = BlockFields(
            address: cdb.field(at: 2, byteCount: 8), blockCount: UInt32(cdb.byte(Self.countByte)),
            countByte: Self.countByte)
        let flags = cdb.byte(1)
        protection = flags >> 5
        disablePageOut = flags & 0x10 != 0
        forceUnitAccess = flags & 0x08 != 0
    }
}
