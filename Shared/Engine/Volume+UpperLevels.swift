// SPDX-License-Identifier: Apache-2.0
import Wire

/// A walk over what lies above the leaves, when the volume opens: with it in memory, a reader needs no more than the
/// leaf and the frame (STORAGE §5).
struct UpperLevels {
    /// Where the walk goes on.
    var leaf: UInt64 = 0
    /// Nodes that may still be asked for; nil: as many as the limits allow.
    var left: Int?
    var nodes: Set<NodePointer> = []
}

extension Volume {
    /// Asks for the next few nodes of the walk, which ends at the first that cannot be had: readers ask for it again.
    func pumpUpperLevels() {
        let left = upperLevels.left ?? limits.upperNodeCount
        guard left > 0, upperLevels.nodes.isEmpty, phase == .serving, map.missingDirectories.isEmpty else { return }
        var missing: [NodePointer] = []
        // What was looked over while others were missing is looked at again when they are there.
        var next: UInt64?
        var leaf = upperLevels.leaf
        let end = MapGeometry.leaf(of: BlockIndex(map.blockCount - 1)) + 1
        while leaf < end, missing.count < min(left, limits.upperNodesInFlight) {
            guard let search = try? map.cursor.search(leaf: leaf, map.peekNode) else { break }
            switch search {
            case .absent(let following): leaf = following
            case .found: leaf = (leaf / MapGeometry.leavesBelow(level: 1) + 1) * MapGeometry.leavesBelow(level: 1)
            case .missing(let pointers, let following):
                next = next ?? leaf
                for pointer in pointers where !missing.contains(pointer) { missing.append(pointer) }
                leaf = following
            }
        }
        guard let next, map.byteCount < limits.nodeCacheByteCount / 2 else {
            upperLevels.left = 0
            return
        }
        upperLevels = UpperLevels(leaf: next, left: left - missing.count, nodes: Set(missing))
        fetchAhead(upperLevels.nodes)
    }
}
