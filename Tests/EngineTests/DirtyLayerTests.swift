// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

// Layers are internal to the engine: they have no other door to test them through.
@testable import Engine

@Suite struct DirtyLayerTests {
    /// What a layer says about one sector, as a number: 0 nothing, 1 zero, else the unit it was written at.
    private func sector(_ sector: UInt64, of layer: DirtyLayer) -> Int {
        func place(_ entry: DirtyEntry, _ offset: Int) -> Int { entry.isZero ? 1 : entry.byteOffset / 512 + offset }
        switch layer.lookup(BlockIndex(sector / 8)) {
        case .miss: return 0
        case .zero: return 1
        case .journal(let entry): return place(entry, Int(sector % 8))
        case .partial(let partial):
            if let entry = partial[Int(sector % 8)] { return place(entry, 0) }
            return partial.base.map { place($0, Int(sector % 8)) } ?? 0
        }
    }

    @Test func agreesWithAModelThatKeepsEverySector() {
        for seed in 0..<60 {
            var random = SeededRandom(seed: UInt64(seed))
            var layer = DirtyLayer()
            let sectorCount = 8 * 300
            var model = [Int](repeating: 0, count: sectorCount)
            for step in 1...200 {
                let start = Int.random(in: 0..<sectorCount, using: &random)
                let wide = step % 17 == 0
                let count = Int.random(in: 1...min(wide ? sectorCount : 40, sectorCount - start), using: &random)
                let range = SectorRange(start: UInt64(start), count: UInt32(count))
                let unit = step * 4096
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    layer.applyZero(range)
                    for index in 0..<count { model[start + index] = 1 }
                case 1:
                    layer.applyFill(
                        range, segment: SegmentID(1), byteOffset: unit * 512, blockChecksum: 1, sectorChecksum: 2)
                    var index = start
                    while index < start + count {
                        let whole = index % 8 == 0 && start + count - index >= 8
                        for offset in 0..<(whole ? 8 : 1) { model[index + offset] = unit + (whole ? offset : 0) }
                        index += whole ? 8 : 1
                    }
                default:
                    layer.applyWrite(
                        range, segment: SegmentID(1), byteOffset: unit * 512, checksum: { UInt32($0) },
                        isZero: { _ in false })
                    for index in 0..<count { model[start + index] = unit + index }
                }
            }
            for index in 0..<sectorCount {
                #expect(sector(UInt64(index), of: layer) == model[index], "seed \(seed) sector \(index)")
            }
        }
    }

    @Test func aZeroBlockIsAnEntryWithoutData() {
        var layer = DirtyLayer()
        layer.applyWrite(
            SectorRange(start: 8, count: 8), segment: SegmentID(1), byteOffset: 4096,
            checksum: { _ in CRC32C.zeroBlock }, isZero: { _ in true })
        guard case .zero = layer.lookup(BlockIndex(1)) else {
            Issue.record("a block of zeros takes space in the journal's map")
            return
        }
    }

    @Test func aTrimOfAWholeVolumeIsOneRange() {
        var layer = DirtyLayer()
        for block in 0..<UInt64(1000) {
            layer.applyWrite(
                SectorRange(start: block * 8, count: 8), segment: SegmentID(1), byteOffset: Int(block) * 4096,
                checksum: { _ in 5 }, isZero: { _ in false })
        }
        for start in stride(from: UInt64(0), to: 1 << 37, by: 1 << 31) {
            layer.applyZero(SectorRange(start: start, count: UInt32(1) << 31))
        }
        #expect(layer.blockCount == 0)
        #expect(layer.zeroRanges.count == 1)
    }
}
