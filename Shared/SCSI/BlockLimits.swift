// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The limits that the block limits page announces and the commands enforce, in sectors of 512 bytes. Counted in larger
/// logical blocks they are as many bytes.
package enum BlockLimits {
    /// In logical blocks: conformance tests want to write and read as many where WRITE SAME has no limit.
    package static let maximumTransferBlockCount: UInt32 = 65536
    /// 16 MiB: what one request to a volume may move. Larger commands are carried out in pieces.
    package static let requestSectorCount: UInt32 = 32768
    /// 1 MiB.
    static let optimalTransferSectorCount: UInt32 = 2048
    /// One 4 KiB block: smaller or unaligned writes cost a merge.
    static let optimalTransferGranularity: UInt32 = 8
    /// One logical block is what VMware's locking needs.
    package static let maximumCompareAndWriteBlockCount: UInt8 = 1
    /// 512 MiB, and the most that conformance tests take for a finite limit.
    package static let maximumUnmapSectorCount: UInt32 = 1_048_576
    package static let maximumUnmapDescriptorCount = 256
    /// The map's unit is a block of 4 KiB.
    static let optimalUnmapGranularity: UInt32 = 8
    /// In logical blocks: as many as a range can count, which of sectors is as many as a CDB can say.
    static func maximumWriteSameBlockCount(_ blockSize: LogicalBlockSize) -> UInt32 { .max / blockSize.sectorCount }
    /// 1 MiB: what WRITE ATOMIC writes wholly or not at all. Conformance tests write 256 blocks, also of 4 KiB.
    package static let maximumAtomicSectorCount: UInt32 = 2048
    /// More than any parameter list has that the device server takes. Of a longer one this much is collected, and it is
    /// refused for the length in its CDB.
    package static let maximumParameterListByteCount = 8192
    /// Thresholds and resource counts of logical block provisioning are in sets of 2^11 sectors, 1 MiB: coarse enough
    /// that the largest volume has less than 2^32 of them. Initiators are told the exponent of as many blocks.
    package static let thresholdExponent: UInt8 = 11
    /// The most data-out that any command asks for: a write of the maximum length.
    package static func maximumDataOutByteCount(_ blockSize: LogicalBlockSize) -> Int {
        Int(maximumTransferBlockCount) * blockSize.byteCount
    }
}
