// SPDX-License-Identifier: Apache-2.0
import Simulation
import TestSupport
import Testing
import Wire

struct VersionHistoryTests {
    /// The same as `VersionHistory`, kept as one whole image per position.
    private struct Images {
        var images: [[SectorPattern.Stamp]]
        mutating func write(_ range: SectorRange, _ stamp: SectorPattern.Stamp) {
            var image = images[images.count - 1]
            for sector in range.start..<range.end { image[Int(sector)] = stamp }
            images.append(image)
        }
    }

    @Test(arguments: 0..<8)
    func agreesWithWholeImages(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let sectorCount = 20_000
        var history = VersionHistory(sectorCount: UInt64(sectorCount))
        var images = Images(images: [[SectorPattern.Stamp](repeating: 0, count: sectorCount)])
        for step in 1...60 {
            if step == 40 {
                let cut = 20 + random.below(20)
                history.cut(after: cut)
                images.images.removeSubrange((cut + 1)...)
            }
            let isWide = random.oneIn(6)
            let count = isWide ? 1100 + random.below(9000) : 1 + random.below(40)
            let start = isWide ? random.below(sectorCount - count) : random.below(100)
            let range = SectorRange(start: UInt64(start), count: UInt32(count))
            let stamp = isWide || random.oneIn(5) ? 0 : SectorPattern.Stamp(step)
            history.begin(position: images.images.count)
            history.write(range, stamp: stamp)
            images.write(range, stamp)
        }
        for _ in 0..<2000 {
            let sector = random.oneIn(2) ? random.below(140) : random.below(sectorCount)
            let position = random.below(images.images.count)
            #expect(history.version(of: UInt64(sector), at: position).stamp == images.images[position][sector])
            let first = random.below(position + 1)
            let held = Set((first...position).map { images.images[$0][sector] })
            let found = Set(history.versions(of: UInt64(sector), during: first...position).map(\.stamp))
            #expect(held == found)
            for stamp in held { #expect(history.held(stamp, sector: UInt64(sector), during: first...position)) }
            #expect(!history.held(9999, sector: UInt64(sector), during: first...position))
        }
    }
}

struct SectorPatternTests {
    private func sector(_ stamp: SectorPattern.Stamp, at place: UInt64?) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: 512)
        unsafe bytes.withUnsafeMutableBytes { unsafe SectorPattern.fill($0, stamp: stamp, sector: place) }
        return bytes
    }

    private func stamp(_ bytes: [UInt8], at place: UInt64) -> SectorPattern.Stamp? {
        unsafe bytes.withUnsafeBytes { unsafe SectorPattern.stamp(of: $0, sector: place) }
    }

    @Test func stampIsFoundAgainWhereItBelongs() {
        for value in [0, 1, 2, 3, 4, 77, 4096] as [SectorPattern.Stamp] {
            #expect(stamp(sector(value, at: 12), at: 12) == value)
            #expect(stamp(sector(value, at: nil), at: 99) == value)
        }
    }

    @Test func misplacedSectorIsRefused() {
        #expect(stamp(sector(5, at: 12), at: 13) == nil)
    }

    @Test func everyFlippedBitIsNoticed() {
        for value in [0, 6, 8] as [SectorPattern.Stamp] {
            let bytes = sector(value, at: 3)
            for bit in 0..<512 * 8 {
                var flipped = bytes
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(stamp(flipped, at: 3) != value)
            }
        }
    }
}

struct SimulationQueueTests {
    @Test func eventsLeaveInOrderOfTimeThenOfArrival() {
        var random = SeededRandom(seed: 9)
        var queue = SimulationQueue<Int>()
        var expected: [(time: UInt64, number: Int)] = []
        for number in 0..<500 {
            let time = UInt64(random.below(60))
            queue.add(number, at: time)
            expected.append((time, number))
        }
        expected.sort { ($0.time, $0.number) < ($1.time, $1.number) }
        for entry in expected {
            #expect(queue.nextTime == entry.time)
            #expect(queue.popFirst()?.event == entry.number)
        }
        #expect(queue.popFirst() == nil)
    }
}
