// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // Layers are the engine's own; their division decides what a restart reads.

@Suite struct PackDivisionTests {
    private func limits(_ packBlockCount: Int) -> EngineLimits {
        var limits = EngineLimits()
        limits.packBlockCount = packBlockCount
        limits.packZeroRunCount = packBlockCount
        return limits
    }

    private func write(_ layer: inout DirtyLayer, _ block: UInt64) {
        layer.applyWrite(
            SectorRange(start: block * 8, count: 8), segment: SegmentID(1), byteOffset: Int(block) * 4096,
            checksum: { _ in UInt32(block) }, isZero: { _ in false })
    }

    @Test(arguments: [1, 2, 3, 100])
    func everyBlockAndEveryZeroIsInOnePackInOrder(packBlockCount: Int) {
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            var layer = DirtyLayer()
            layer.include(JournalSequence(1), wallMilliseconds: 0)
            var image: [UInt64: Bool] = [:]  // Whether the block has data.
            for _ in 0..<60 {
                let block = UInt64(random.below(400))
                switch random.below(3) {
                case 0:
                    write(&layer, block)
                    image[block] = true
                case 1:
                    layer.applyZero(SectorRange(start: block * 8, count: 8))
                    image[block] = false
                default:
                    let count = UInt64(1 + random.below(100))
                    layer.applyZero(SectorRange(start: block * 8, count: UInt32(count * 8)))
                    for zeroed in block..<block + count { image[zeroed] = false }
                }
            }
            let division = PackDivision(of: layer, limits: limits(packBlockCount))
            let builds = (0..<division.packCount).map { division.build($0, from: layer) }
            #expect(builds.allSatisfy { $0.blocks.count <= packBlockCount && $0.zeroRuns.count <= packBlockCount })
            let data = builds.flatMap { $0.blocks.map(\.block.rawValue) }
            #expect(data == image.filter(\.value).keys.sorted())
            #expect(builds.flatMap(\.blocks).allSatisfy { UInt64($0.entry.checksum) == $0.block.rawValue })
            let zeros = builds.flatMap(\.zeroRuns).flatMap { $0.start.rawValue..<$0.end.rawValue }
            #expect(zeros == image.filter { !$0.value }.keys.sorted())
        }
    }

    @Test func aLayerThatChangesNothingIsOneEmptyPack() {
        var layer = DirtyLayer()
        layer.include(JournalSequence(1), wallMilliseconds: 0)
        #expect(PackDivision(of: layer, limits: limits(4)).packCount == 1)
    }
}
