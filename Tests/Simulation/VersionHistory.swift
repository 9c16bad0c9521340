// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Every content that every sector ever had, by the position of the command in the volume's history (1, 2, 3 …;
/// position 0 is the empty volume). It answers what the image was after any command, and it can be cut back to one.
package struct VersionHistory {
    package struct Version: Equatable {
        package var position: Int
        package var stamp: SectorPattern.Stamp
    }

    private struct Node {
        var sector: UInt64
        var position: Int32
        var stamp: SectorPattern.Stamp
        /// The sector's version before this one, -1 if none.
        var previous: Int32
    }

    private struct WideZero {
        var position: Int
        var sectors: SectorRange
    }

    private static let sectorsPerLeaf = UInt64(Geometry.blocksPerLeaf * Geometry.sectorsPerBlock)
    /// A zeroed range longer than this is kept as a range: huge trims must cost nothing.
    private static let longestNarrowZero: UInt32 = 1024

    /// Newest node of each sector, -1 if none; a leaf that nobody wrote is empty.
    private var leaves: [[Int32]]
    /// In order of position, which is what makes cutting back simple.
    private var nodes: [Node] = []
    private var wideZeros: [WideZero] = []
    package private(set) var lastPosition = 0

    package init(sectorCount: UInt64) {
        leaves = Array(repeating: [], count: Int((sectorCount + Self.sectorsPerLeaf - 1) / Self.sectorsPerLeaf))
    }

    package mutating func begin(position: Int) {
        precondition(position > lastPosition)
        lastPosition = position
    }

    package mutating func write(_ sectors: SectorRange, stamp: SectorPattern.Stamp) {
        if stamp == 0, sectors.count > Self.longestNarrowZero {
            wideZeros.append(WideZero(position: lastPosition, sectors: sectors))
            return
        }
        for sector in sectors.start..<sectors.end { set(sector, stamp) }
    }

    private mutating func set(_ sector: UInt64, _ stamp: SectorPattern.Stamp) {
        let leaf = Int(sector / Self.sectorsPerLeaf)
        let index = Int(sector % Self.sectorsPerLeaf)
        // The volume has grown.
        while leaves.count <= leaf { leaves.append([]) }
        if leaves[leaf].isEmpty { leaves[leaf] = Array(repeating: -1, count: Int(Self.sectorsPerLeaf)) }
        nodes.append(
            Node(sector: sector, position: Int32(lastPosition), stamp: stamp, previous: leaves[leaf][index]))
        leaves[leaf][index] = Int32(nodes.count - 1)
    }

    /// Forgets everything after `position`.
    package mutating func cut(after position: Int) {
        while let node = nodes.last, Int(node.position) > position {
            leaves[Int(node.sector / Self.sectorsPerLeaf)][Int(node.sector % Self.sectorsPerLeaf)] = node.previous
            nodes.removeLast()
        }
        while let last = wideZeros.last, last.position > position { wideZeros.removeLast() }
        lastPosition = min(lastPosition, position)
    }

    /// What the sector held after the command at `position`.
    package func version(of sector: UInt64, at position: Int) -> Version {
        var cursor = Cursor(self, sector: sector)
        while let version = cursor.next(self) {
            if version.position <= position { return version }
        }
        return Version(position: 0, stamp: 0)
    }

    /// Whether the sector held this content after some command in `positions`.
    package func held(_ stamp: SectorPattern.Stamp, sector: UInt64, during positions: ClosedRange<Int>) -> Bool {
        var cursor = Cursor(self, sector: sector)
        while let version = cursor.next(self) {
            if version.position > positions.upperBound { continue }
            if version.stamp == stamp { return true }
            if version.position <= positions.lowerBound { return false }
        }
        return stamp == 0
    }

    /// All versions in `positions`, newest first, with the one that held when the range began.
    package func versions(of sector: UInt64, during positions: ClosedRange<Int>) -> [Version] {
        var found: [Version] = []
        var cursor = Cursor(self, sector: sector)
        while let version = cursor.next(self) {
            if version.position > positions.upperBound { continue }
            found.append(version)
            if version.position <= positions.lowerBound { return found }
        }
        return found + [Version(position: 0, stamp: 0)]
    }

    /// Leaves that were ever touched by a narrow write: where an image check has to look.
    package var touchedLeaves: [Int] { leaves.indices.filter { !leaves[$0].isEmpty } }

    /// Sectors that hold something else than zeros after the newest command, in ascending order.
    package func forEachTouchedSector(_ body: (UInt64) -> Void) {
        for leaf in leaves.indices {
            for (index, node) in leaves[leaf].enumerated() where node >= 0 {
                body(UInt64(leaf) * Self.sectorsPerLeaf + UInt64(index))
            }
        }
    }

    /// Walks a sector's versions from newest to oldest: its own chain merged with the wide zeros over it.
    private struct Cursor {
        private let sector: UInt64
        private var node: Int32
        private var wide: Int

        init(_ history: VersionHistory, sector: UInt64) {
            self.sector = sector
            let index = Int(sector / sectorsPerLeaf)
            let leaf = index < history.leaves.count ? history.leaves[index] : []
            node = leaf.isEmpty ? -1 : leaf[Int(sector % sectorsPerLeaf)]
            wide = history.wideZeros.count - 1
        }

        mutating func next(_ history: VersionHistory) -> Version? {
            while wide >= 0 {
                let sectors = history.wideZeros[wide].sectors
                if sector >= sectors.start, sector < sectors.end { break }
                wide -= 1
            }
            let narrowPosition = node >= 0 ? Int(history.nodes[Int(node)].position) : -1
            let widePosition = wide >= 0 ? history.wideZeros[wide].position : -1
            if narrowPosition < 0, widePosition < 0 { return nil }
            if narrowPosition > widePosition {
                let found = history.nodes[Int(node)]
                node = found.previous
                return Version(position: narrowPosition, stamp: found.stamp)
            }
            wide -= 1
            return Version(position: widePosition, stamp: 0)
        }
    }
}
