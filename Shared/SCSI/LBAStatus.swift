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

    /// - Parameter extents: without gaps from the address that the initiator asked for, which the first descriptor
    ///   repeats exactly; not empty. Neighbours that are alike become one.
    package static func result(of extents: [Extent], allocationLength: Int) -> CommandResult {
        precondition(!extents.isEmpty)
        let descriptors = merged(extents, limit: descriptorLimit(allocationLength: allocationLength))
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(4 + descriptorByteCount * descriptors.count))
        data.appendZeros(4)
        for descriptor in descriptors {
            data.appendBigEndian(descriptor.sectors.start)
            data.appendBigEndian(descriptor.sectors.count)
            data += [descriptor.isMapped ? mapped : deallocated, 0, 0, 0]
        }
        return CommandResult(dataIn: data, allocationLength: allocationLength)
    }

    private static func merged(_ extents: [Extent], limit: Int) -> [Extent] {
        var descriptors: [Extent] = []
        for extent in extents {
            if let last = descriptors.last {
                precondition(extent.sectors.start == last.sectors.end, "the extents have a gap")
                let (sum, overflows) = last.sectors.count.addingReportingOverflow(extent.sectors.count)
                if last.isMapped == extent.isMapped, !overflows {
                    descriptors[descriptors.count - 1].sectors.count = sum
                    continue
                }
            }
            guard descriptors.count < limit else { break }
            descriptors.append(extent)
        }
        return descriptors
    }
}
