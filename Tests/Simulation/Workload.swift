// SPDX-License-Identifier: Apache-2.0
package import Engine
package import TestSupport
import Wire

/// What frontends ask for: mostly small commands on a small hot region, so that they meet each other, with a share of
/// everything else.
package struct Workload {
    private let settings: SimulationSettings
    private let hotStart: UInt64
    /// Of the volume as it is now; it may have grown.
    package var sectorCount: UInt64
    private let firstSectorCount: UInt64
    /// COMPARE AND WRITE counters live in their own blocks at the end of the hot region.
    private static let counterCount = 4

    package init(settings: SimulationSettings, random: inout SeededRandom) {
        self.settings = settings
        let blocks = settings.leafCount * Geometry.blocksPerLeaf
        hotStart = UInt64(random.below(blocks - settings.hotBlockCount + 1))
        sectorCount = UInt64(blocks * Geometry.sectorsPerBlock)
        firstSectorCount = sectorCount
    }

    /// - Parameter held: what the volume holds now, for COMPARE AND WRITE; may be out of date.
    /// - Returns: the command, whether it writes zeros, and what a comparison expects.
    package func next(
        random: inout SeededRandom, held: (UInt64) -> SectorPattern.Stamp
    ) -> (command: VolumeCommand, zeros: Bool, expected: [SectorPattern.Stamp]) {
        switch random.below(100) {
        case 0..<38: return (.write(range(&random)), random.oneIn(24), [])
        case 38..<64: return (.read(range(&random)), false, [])
        case 64..<69:
            let range = random.oneIn(2) ? range(&random) : counter(&random)
            return (.orWrite(range), random.oneIn(12), [])
        case 69..<73:
            let range = random.oneIn(2) ? range(&random) : smallRange(&random)
            return (.compare(range), false, (range.start..<range.end).map { held($0) })
        case 73..<74: return (.prefetch(random.oneIn(4) ? hugeRange(&random) : range(&random)), false, [])
        case 74..<81:
            let range = random.oneIn(3) ? smallRange(&random) : counter(&random)
            let expected = (range.start..<range.end).map { held($0) }
            return (.compareAndWrite(range), false, expected)
        case 81..<85: return (.flush, false, [])
        case 85..<90: return (.writeSame(fillRange(&random)), random.oneIn(3), [])
        case 90..<91: return (.unmap([hugeRange(&random)]), true, [])
        default:
            return (.unmap((0...random.below(3)).map { _ in range(&random) }), true, [])
        }
    }

    private func range(_ random: inout SeededRandom) -> SectorRange {
        let blocks = random.oneIn(8) ? settings.largestCommandBlockCount : 1 + random.below(4)
        let count = min(blocks, settings.hotBlockCount)
        if random.oneIn(4) { return smallRange(&random) }
        var start = anywhere(blockCount: count, &random) * 8
        var sectors = UInt64(count) * 8
        if random.oneIn(5) {  // Unaligned at one end or both.
            let head = UInt64(random.below(8))
            start += head
            sectors -= head
            sectors -= min(sectors - 1, UInt64(random.below(8)))
        }
        return SectorRange(start: start, count: UInt32(sectors))
    }

    /// Some sectors of one block, or of two neighbours.
    private func smallRange(_ random: inout SeededRandom) -> SectorRange {
        let start = anywhere(blockCount: 1, &random) * 8 + UInt64(random.below(8))
        return SectorRange(start: start, count: UInt32(min(UInt64(1 + random.below(8)), sectorCount - start)))
    }

    private func counter(_ random: inout SeededRandom) -> SectorRange {
        let block = hotStart + UInt64(settings.hotBlockCount - 1 - random.below(Self.counterCount))
        return SectorRange(start: block * 8, count: random.oneIn(2) ? 1 : 8)
    }

    private func fillRange(_ random: inout SeededRandom) -> SectorRange {
        guard random.oneIn(3) else { return range(&random) }
        let blocks = min(settings.hotBlockCount, 1 + random.below(200))
        return SectorRange(start: anywhere(blockCount: blocks, &random) * 8, count: UInt32(blocks * 8))
    }

    /// Whole leaves, half the volume, all of it.
    private func hugeRange(_ random: inout SeededRandom) -> SectorRange {
        if random.oneIn(4) { return SectorRange(start: 0, count: UInt32(sectorCount)) }
        let start = UInt64(random.below(Int(sectorCount)))
        return SectorRange(start: start, count: UInt32(1 + random.below(Int(sectorCount - start))))
    }

    private func anywhere(blockCount: Int, _ random: inout SeededRandom) -> UInt64 {
        if sectorCount > firstSectorCount, random.oneIn(6) {
            let first = random.oneIn(2) ? firstSectorCount / 8 : sectorCount / 8 - 1024
            return min(first + UInt64(random.below(512)), sectorCount / 8 - UInt64(blockCount))
        }
        if random.oneIn(50) { return UInt64(random.below(Int(sectorCount / 8) - blockCount + 1)) }
        // One in four of the rest hits the first blocks of the hot region.
        let span = random.oneIn(4) ? min(8, settings.hotBlockCount) : settings.hotBlockCount
        let free = max(1, span - blockCount + 1)
        return hotStart + UInt64(random.below(free))
    }
}
