// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

@Suite struct LBAStatusTests {
    private func extent(_ start: UInt64, _ count: UInt32, _ isMapped: Bool) -> LBAStatus.Extent {
        LBAStatus.Extent(sectors: SectorRange(start: start, count: count), isMapped: isMapped)
    }

    private func descriptor(_ start: UInt64, _ count: UInt32, _ status: UInt8) -> [UInt8] {
        start.bytes + count.bytes + [status, 0, 0, 0]
    }

    private func data(
        _ extents: [LBAStatus.Extent], _ allocationLength: Int = 4096, _ blockSize: LogicalBlockSize = .sector
    ) -> [UInt8] {
        let result = LBAStatus.result(of: extents, blockSize, allocationLength: allocationLength)
        #expect(result.status == .good && result.transferByteCount == result.dataIn.count)
        return result.dataIn
    }

    @Test func extentsBecomeDescriptors() {
        let reply = data([extent(7, 9, true), extent(16, 8, false), extent(24, 1, true)])
        let descriptors = descriptor(7, 9, 0) + descriptor(16, 8, 1) + descriptor(24, 1, 0)
        #expect(reply == UInt32(4 + 48).bytes + [0, 0, 0, 0] + descriptors)
    }

    @Test func neighboursThatAreAlikeBecomeOne() {
        let reply = data([
            extent(0, 8, true), extent(8, 8, true), extent(16, 8, false), extent(24, 4, false), extent(28, 4, true),
        ])
        let descriptors = descriptor(0, 16, 0) + descriptor(16, 12, 1) + descriptor(28, 4, 0)
        #expect(reply == UInt32(4 + 48).bytes + [0, 0, 0, 0] + descriptors)
    }

    @Test func largerBlocksAreCountedInBlocks() {
        let reply = data([extent(56, 8, true), extent(64, 16, false), extent(80, 8, true)], 4096, .fourKibibytes)
        let descriptors = descriptor(7, 1, 0) + descriptor(8, 2, 1) + descriptor(10, 1, 0)
        #expect(reply == UInt32(4 + 48).bytes + [0, 0, 0, 0] + descriptors)
    }

    @Test func aLargerBlockIsMappedIfAnyOfItIs() {
        func reply(_ extents: LBAStatus.Extent...) -> [UInt8] { Array(data(extents, 4096, .fourKibibytes)[8...]) }
        #expect(reply(extent(0, 9, true), extent(9, 15, false)) == descriptor(0, 2, 0) + descriptor(2, 1, 1))
        #expect(reply(extent(0, 15, false), extent(15, 1, true)) == descriptor(0, 1, 1) + descriptor(1, 1, 0))
        #expect(
            reply(extent(0, 3, false), extent(3, 1, true), extent(4, 12, false)) == descriptor(0, 1, 0)
                + descriptor(1, 1, 1))
        #expect(reply(extent(0, 12, true), extent(12, 2, false), extent(14, 2, true)) == descriptor(0, 2, 0))
    }

    @Test func aCountThatIsTooLargeIsSplit() {
        let far = UInt64(UInt32.max)
        let reply = data([extent(0, .max, false), extent(far, 5, false)])
        #expect(Array(reply[8...]) == descriptor(0, .max, 1) + descriptor(far, 5, 1))
    }

    /// One descriptor even where none fits: then its start is all there is.
    @Test func asManyDescriptorsAsFitAreGiven() {
        let extents = (0..<8).map { extent(UInt64($0) * 8, 8, $0.isMultiple(of: 2)) }
        for allocationLength in 0...200 {
            let limit = min(max((allocationLength - 8) / 16, 1), 8)
            #expect(
                LBAStatus.descriptorLimit(allocationLength: allocationLength) == max((allocationLength - 8) / 16, 1))
            let reply = data(extents, allocationLength)
            let whole = data(Array(extents[..<limit]))
            #expect(reply == Array(whole.prefix(allocationLength)))
            #expect(whole.count == 8 + 16 * limit && Array(whole[..<4]) == UInt32(4 + 16 * limit).bytes)
        }
    }

    @Test func oneReplyLooksOnlySoFar() {
        #expect(LBAStatus.descriptorLimit(allocationLength: Int(UInt32.max)) == 1024)
        let extents = (0..<2000).map { extent(UInt64($0), 1, $0.isMultiple(of: 2)) }
        #expect(data(extents, Int(UInt32.max)).count == 8 + 16 * 1024)
    }

    /// An extent that only lengthens the last descriptor still counts when the reply is full.
    @Test func theLastDescriptorIsAsLongAsItsNeighbours() {
        let reply = data([extent(0, 8, true), extent(8, 8, true), extent(16, 8, false)], 24)
        #expect(Array(reply[8...]) == descriptor(0, 16, 0))
    }

    @Test func randomExtentsAreDescribedWithoutGaps() {
        var random = SeededRandom(seed: 12)
        for _ in 0..<200 {
            var extents: [LBAStatus.Extent] = []
            var next = random.next() >> 20
            let start = next
            for _ in 0...random.below(20) {
                let count = UInt32(1 + random.below(random.oneIn(4) ? Int(UInt32.max) : 1000))
                extents.append(extent(next, count, random.oneIn(2)))
                next += UInt64(count)
            }
            let reply = data(extents)
            var position = start
            for offset in stride(from: 8, to: reply.count, by: 16) {
                let fields = reply[offset..<offset + 16]
                let count = fields.dropFirst(8).prefix(4).reduce(0) { $0 << 8 | UInt64($1) }
                #expect(Array(fields.prefix(8)) == position.bytes && count > 0)
                let isMapped = fields[offset + 12] == 0
                for extent in extents where extent.isMapped != isMapped {
                    let sectors = SectorRange(start: position, count: UInt32(count))
                    #expect(!extent.sectors.overlaps(sectors))
                }
                position += count
            }
            #expect(position == next)
        }
    }
}
