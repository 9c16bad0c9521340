// SPDX-License-Identifier: Apache-2.0
import Wire

/// Where the commands that address blocks keep their address and length: the same places in every command of one length
/// (SBC-3 §5).
struct BlockFields: Equatable {
    let address: UInt64
    let blockCount: UInt32
    /// Byte of the length field, for field pointers.
    let countByte: Int

    init(address: UInt64, blockCount: UInt32, countByte: Int) {
        self.address = address
        self.blockCount = blockCount
        self.countByte = countByte
    }

    init(_ cdb: CDB) {
        switch cdb.form {
        case .six:
            address = cdb.field(at: 1, byteCount: 3) & 0x1F_FFFF
            let count = cdb.byte(4)
            blockCount = count == 0 ? 256 : UInt32(count)  // Neither can ask for nothing (SBC-3 §5.11).
            countByte = 4
        case .ten:
            address = cdb.field(at: 2, byteCount: 4)
            blockCount = UInt32(cdb.field(at: 7, byteCount: 2))
            countByte = 7
        case .twelve:
            address = cdb.field(at: 2, byteCount: 4)
            blockCount = UInt32(cdb.field(at: 6, byteCount: 4))
            countByte = 6
        case .sixteen:
            address = cdb.field(at: 2, byteCount: 8)
            blockCount = UInt32(cdb.field(at: 10, byteCount: 4))
            countByte = 10
        }
    }

    func sectors(_ blockSize: LogicalBlockSize) -> SectorRange { blockSize.sectors(at: address, count: blockCount) }
}
