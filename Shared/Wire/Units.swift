// SPDX-License-Identifier: Apache-2.0

/// Sizes that hold everywhere (STORAGE §1).
package enum Geometry {
    /// What a volume is addressed by inside; also the usual logical block of the SCSI device (`LogicalBlockSize`).
    package static let sectorByteCount = 512
    /// The unit of the map and of checksums.
    package static let blockByteCount = 4096
    package static let sectorsPerBlock = 8
    /// Blocks covered by one leaf of the map: 4 MiB.
    package static let blocksPerLeaf = 1024
    /// The most blocks one frame holds: 64 KiB.
    package static let blocksPerFrame = 16
    package static let gibibyte = 1 << 30
    package static let smallestVolumeByteCount: UInt64 = 1 << 30
    package static let largestVolumeByteCount: UInt64 = 64 << 40
}

/// A 4 KiB block of a volume, counted from its start.
package struct BlockIndex: RawRepresentable, Hashable, Comparable, Codable, Sendable {
    package var rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    @inlinable package func advanced(by count: UInt64) -> Self { Self(rawValue &+ count) }
}

/// Blocks `start ..< start + count`.
package struct BlockRange: Hashable, Codable, Sendable {
    package var start: BlockIndex
    package var count: UInt64
    @inlinable package init(start: BlockIndex, count: UInt64) {
        self.start = start
        self.count = count
    }
    @inlinable package var end: BlockIndex { BlockIndex(start.rawValue &+ count) }
    @inlinable package var isEmpty: Bool { count == 0 }
    @inlinable package func contains(_ block: BlockIndex) -> Bool { block >= start && block < end }
}

/// Sectors of 512 bytes, `start ..< start + count`: what a SCSI command addresses, whatever its logical blocks.
package struct SectorRange: Hashable, Codable, Sendable {
    package var start: UInt64
    package var count: UInt32
    @inlinable package init(start: UInt64, count: UInt32) {
        self.start = start
        self.count = count
    }

    /// As an initiator wrote it. A range that goes beyond the last of all addresses ends there: it lies outside of
    /// every medium, too.
    @inlinable package init(clamping start: UInt64, count: UInt32) {
        self.init(start: min(start, UInt64.max - UInt64(count)), count: count)
    }
    @inlinable package var end: UInt64 { start &+ UInt64(count) }
    @inlinable package var byteCount: Int { Int(count) * Geometry.sectorByteCount }
    /// The blocks that these sectors touch.
    @inlinable package var blocks: BlockRange {
        guard count > 0 else { return BlockRange(start: BlockIndex(start / 8), count: 0) }
        let first = start / 8
        return BlockRange(start: BlockIndex(first), count: (end - 1) / 8 - first + 1)
    }
    /// Whether it is made of the map's blocks, and `byteCount` is that of one.
    @inlinable package func isWholeBlocks(of byteCount: Int) -> Bool {
        byteCount == Geometry.blockByteCount && start % 8 == 0 && count % 8 == 0
    }
    @inlinable package func overlaps(_ other: SectorRange) -> Bool { start < other.end && other.start < end }
}
