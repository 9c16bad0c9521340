// SPDX-License-Identifier: Apache-2.0
package import Wire

/// GET LBA STATUS parameter data, SBC-3 §5.5.2.
///
/// | bytes | field |
/// | --- | --- |
/// | 0-3 | parameter data length: of what follows |
/// | 4-7 | reserved |
/// | 8... | descriptors of 16 bytes: address (8), count of blocks (4), status (1), reserved (3) |
package enum LBAStatus {
    /// A stretch of the medium that is alike.
    package struct Extent: Equatable, Sendable {
        package var sectors: SectorRange
        package var isMapped: Bool
        package init(sectors: SectorRange, isMapped: Bool) {
            self.sectors = sectors
            self.isMapped = isMapped
        }
    }

    private static let headerByteCount = 8
    private static let descriptorByteCount = 16
    /// A map may be looked through only so far for one command.
    private static let maximumDescriptorCount = 1024
    private static let mapped: UInt8 = 0
    private static let deallocated: UInt8 = 1

    /// How many descriptors a reply has room for; at least the one that it must have, even if it is cut.
    package static func descriptorLimit(allocationLength: Int) -> Int {
        let count = (allocationLength - headerByteCount) / descriptorByteCount
        return min(max(count, 1), maximumDescriptorCount)
    }

    /// - Parameter extents: without gaps from the block that the initiator asked for, which the first descriptor
    ///   repeats exactly; not empty. Neighbours that are alike become one.
    package static func result(
        of extents: [Extent], _ blockSize: LogicalBlockSize, allocationLength: Int
    ) -> CommandResult {
        precondition(!extents.isEmpty)
        var descriptors = Descriptors(blockSize, limit: descriptorLimit(allocationLength: allocationLength))
        for extent in extents {
            guard descriptors.append(extent) else { break }
        }
        let list = descriptors.list
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(4 + descriptorByteCount * list.count))
        data.appendZeros(4)
        for descriptor in list {
            data.appendBigEndian(descriptor.address)
            data.appendBigEndian(descriptor.blockCount)
            data += [descriptor.isMapped ? mapped : deallocated, 0, 0, 0]
        }
        return CommandResult(dataIn: data, allocationLength: allocationLength)
    }

    /// Extents in logical blocks: one that is mapped in part is mapped.
    private struct Descriptors {
        struct Descriptor {
            var address: UInt64
            var blockCount: UInt32
            var isMapped: Bool
            var end: UInt64 { address + UInt64(blockCount) }
        }

        private let blockSize: LogicalBlockSize
        private let limit: Int
        private(set) var list: [Descriptor] = []
        /// Where the last extent ended, in sectors.
        private var end: UInt64?

        init(_ blockSize: LogicalBlockSize, limit: Int) {
            self.blockSize = blockSize
            self.limit = limit
        }

        /// - Returns: false when there is no room for it.
        mutating func append(_ extent: Extent) -> Bool {
            precondition(end == nil || extent.sectors.start == end, "the extents have a gap")
            end = extent.sectors.end
            let start = list.last?.end ?? blockSize.address(ofSector: extent.sectors.start)
            let partial = UInt64(blockSize.sectorCount - 1)
            let next = blockSize.address(ofSector: extent.sectors.end + (extent.isMapped ? partial : 0))
            // Nothing is left of it: it lies in a block that is mapped.
            guard next > start else { return true }
            let count = UInt32(clamping: next - start)
            if let last = list.last, last.isMapped == extent.isMapped {
                let (sum, overflows) = last.blockCount.addingReportingOverflow(count)
                if !overflows {
                    list[list.count - 1].blockCount = sum
                    return true
                }
            }
            guard list.count < limit else { return false }
            list.append(Descriptor(address: start, blockCount: count, isMapped: extent.isMapped))
            return true
        }
    }
}
