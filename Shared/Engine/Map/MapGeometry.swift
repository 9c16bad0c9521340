// SPDX-License-Identifier: Apache-2.0
import Wire

/// The shape of the radix tree: leaves of 1,024 blocks under up to three levels of 256 children.
enum MapGeometry {
    static let highestLevel = 3
    private static let leafBits: UInt64 = 10
    private static let fanOutBits: UInt64 = 8

    /// Blocks covered by a node of this level; leaves are level 0.
    static func blocksBelow(level: Int) -> UInt64 { 1 << (leafBits + fanOutBits * UInt64(level)) }

    /// Leaves covered by a node of this level.
    static func leavesBelow(level: Int) -> UInt64 { 1 << (fanOutBits * UInt64(level)) }

    /// The level of the root of a volume's tree: 1, 2 or 3.
    static func height(blockCount: UInt64) -> Int {
        var level = 1
        while level < highestLevel, blocksBelow(level: level) < blockCount { level += 1 }
        return level
    }

    static func leaf(of block: BlockIndex) -> UInt64 { block.rawValue >> leafBits }
    static func blockInLeaf(_ block: BlockIndex) -> Int { Int(block.rawValue & ((1 << leafBits) - 1)) }
    static func firstBlock(ofLeaf leaf: UInt64) -> BlockIndex { BlockIndex(leaf << leafBits) }

    static func blocks(ofLeaf leaf: UInt64) -> BlockRange {
        BlockRange(start: firstBlock(ofLeaf: leaf), count: UInt64(Geometry.blocksPerLeaf))
    }

    /// Which node of `level` lies above this leaf, and which of the children of the node above that it is.
    static func index(ofLeaf leaf: UInt64, level: Int) -> UInt64 { leaf >> (fanOutBits * UInt64(level)) }
    static func slot(ofLeaf leaf: UInt64, level: Int) -> Int {
        Int(index(ofLeaf: leaf, level: level) & UInt64(InnerNode.fanOut - 1))
    }
}
