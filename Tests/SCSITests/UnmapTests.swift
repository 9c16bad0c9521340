// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

@Suite struct UnmapTests {
    /// A list whose lengths are right.
    private func list(_ ranges: [SectorRange]) -> [UInt8] {
        let reserved: [UInt8] = [0, 0, 0, 0]
        var descriptors: [UInt8] = []
        for range in ranges { descriptors += range.start.bytes + range.count.bytes + reserved }
        let lengths: [UInt8] = UInt16(descriptors.count + 6).bytes + UInt16(descriptors.count).bytes
        return lengths + reserved + descriptors
    }

    private func cdb(_ length: Int, flags: UInt8 = 0) -> CDB {
        CDB([0x42, flags, 0, 0, 0, 0, 0] + UInt16(length).bytes + [0])
    }

    private func unmap(_ list: [UInt8], _ blockSize: LogicalBlockSize = .sector) throws -> CommandDisposition {
        let decoder = TestUnit.decoder(blockSize)
        let command = try #require(decoder.begin(cdb(list.count), expectedDataOut: list.count).parameterData)
        #expect(command.dataOutByteCount == list.count)
        return decoder.finish(command, list)
    }

    @Test func everyRangeIsUnmappedInOrder() throws {
        let ranges = (0..<256).map { SectorRange(start: UInt64($0) * 100, count: UInt32($0 + 1)) }
        #expect(try unmap(list(ranges)).unmapRanges == ranges)
        // Overlap is legal.
        let twice = [SectorRange(start: 5, count: 10), SectorRange(start: 5, count: 10)]
        #expect(try unmap(list(twice)).unmapRanges == twice)
    }

    @Test func largerBlocksAreUnmappedWhole() throws {
        let size = LogicalBlockSize.fourKibibytes
        let end = TestUnit.sectorCount / 8
        let blocks = [SectorRange(start: 5, count: 3), SectorRange(start: end, count: 0)]
        #expect(
            try unmap(list(blocks), size).unmapRanges
                == [SectorRange(start: 40, count: 24), SectorRange(start: end * 8, count: 0)])
        for outside in [
            SectorRange(start: end, count: 1), SectorRange(start: end + 1, count: 0),
            SectorRange(start: 1 << 61, count: 0),
            SectorRange(start: 1 << 61, count: 1), SectorRange(start: 1 << 61 - 1, count: 1),
            SectorRange(start: .max, count: 1),
        ] {
            #expect(try unmap(list([outside]), size).isOutOfRange)
        }
        let most = SectorRange(start: 0, count: 131_072)
        #expect(try unmap(list([most]), size).unmapRanges == [SectorRange(start: 0, count: 1_048_576)])
        let one = SectorRange(start: 0, count: 1)
        #expect(try unmap(list([most, one]), size).fails(.illegalRequest, 0x2600, byte: 32))
        let huge = [SectorRange](repeating: SectorRange(start: 0, count: .max), count: 256)
        #expect(try unmap(list(huge), size).fails(.illegalRequest, 0x2600, byte: 16))
    }

    @Test func emptyListsAreGood() throws {
        #expect(TestUnit.decoder().begin(cdb(0)).isGood)
        #expect(try unmap(list([])).isGood)
        #expect(try unmap(list([])).result?.transferByteCount == 8)
    }

    /// They unmap nothing, but where they point is for the owner to judge.
    @Test func emptyRangesAreKept() throws {
        let mixed = [SectorRange(start: 5, count: 0), SectorRange(start: 6, count: 2)]
        #expect(try unmap(list(mixed)).unmapRanges == mixed)
        guard case .unmap(let operation) = try unmap(list([mixed[0]])) else {
            Issue.record("not unmapped")
            return
        }
        #expect(operation.ranges == [mixed[0]] && operation.result(of: .good).transferByteCount == 24)
    }

    @Test func listsWithoutAHeaderAreRefused() {
        for length in 1...7 {
            #expect(TestUnit.decoder().begin(cdb(length), expectedDataOut: length).fails(.illegalRequest, 0x1A00))
        }
    }

    /// A write-protected unit says so rather than what is wrong with the list.
    @Test func errorsOfTheListAreLeftForTheOwnerToRank() throws {
        let decoder = TestUnit.decoder()
        let command = try #require(decoder.begin(cdb(24), expectedDataOut: 24).parameterData)
        let short = [UInt8](repeating: 0, count: 7)
        guard case .check(nil, let result) = unsafe decoder.finish(command, dataOut: short.span.bytes) else {
            Issue.record("not for the owner")
            return
        }
        #expect(result.fails(.illegalRequest, 0x1A00) && result.transferByteCount == 24)
    }

    @Test func anchoringIsRefused() {
        #expect(TestUnit.decoder().begin(cdb(24, flags: 1), expectedDataOut: 24).isInvalidField(byte: 1))
    }

    @Test func nothingMayLieJustPastTheEnd() throws {
        let end = TestUnit.sectorCount
        #expect(try unmap(list([SectorRange(start: end, count: 0)])).unmapRanges?.count == 1)
        #expect(try unmap(list([SectorRange(start: end - 1, count: 1)])).unmapRanges?.count == 1)
        for outside in [
            SectorRange(start: end + 1, count: 0), SectorRange(start: end, count: 1),
            SectorRange(start: end - 1, count: 2), SectorRange(start: .max, count: 0),
            SectorRange(start: .max, count: 1), SectorRange(start: 1 << 63, count: 1_000_000),
        ] {
            #expect(try unmap(list([SectorRange(start: 0, count: 1), outside])).isOutOfRange)
        }
    }

    @Test func theAnnouncedLimitsHold() throws {
        let one = SectorRange(start: 0, count: 1)
        let tooMany = try unmap(list([SectorRange](repeating: one, count: 257)))
        #expect(tooMany.fails(.illegalRequest, 0x2600, byte: 2))

        let half = SectorRange(start: 0, count: 524_288)
        #expect(try unmap(list([half, half])).unmapRanges?.count == 2)
        let tooLong = try unmap(list([half, half, one]))
        #expect(tooLong.fails(.illegalRequest, 0x2600, byte: 8 + 2 * 16 + 8))
        let huge = [SectorRange](repeating: SectorRange(start: 0, count: .max), count: 256)
        #expect(try unmap(list(huge)).fails(.illegalRequest, 0x2600, byte: 16))
    }

    @Test func theDataLengthFieldIsIgnored() throws {
        var bytes = list([SectorRange(start: 1, count: 1)])
        for value in [0, 1, 0xFFFF] as [UInt16] {
            bytes.replaceSubrange(0..<2, with: value.bytes)
            #expect(try unmap(bytes).unmapRanges == [SectorRange(start: 1, count: 1)])
        }
    }

    @Test func anIncompleteLastDescriptorIsIgnored() throws {
        var bytes = list([SectorRange(start: 1, count: 1), SectorRange(start: 2, count: 1)])
        for length in 16..<32 {
            bytes.replaceSubrange(2..<4, with: UInt16(length).bytes)
            #expect(try unmap(bytes).unmapRanges == [SectorRange(start: 1, count: 1)])
        }
    }

    @Test func listsCutAnywhereUnmapNothing() throws {
        let bytes = list((0..<4).map { SectorRange(start: UInt64($0), count: 1) })
        for length in 8..<bytes.count {
            #expect(try unmap(Array(bytes[..<length])).fails(.illegalRequest, 0x1A00))
        }
        // The initiator promised the whole list and sent less.
        let decoder = TestUnit.decoder()
        let command = try #require(decoder.begin(cdb(bytes.count), expectedDataOut: bytes.count).parameterData)
        for length in 0..<bytes.count {
            #expect(decoder.finish(command, Array(bytes[..<length])).fails(.illegalRequest, 0x1A00))
        }
    }

    @Test func inflatedInnerLengthsAreRefusedAtEveryCut() throws {
        let whole = list((0..<3).map { SectorRange(start: UInt64($0), count: 1) })
        for inner in [49, 64, 4096, 4112, 0xFFFF] as [UInt16] {
            var bytes = whole
            bytes.replaceSubrange(2..<4, with: inner.bytes)
            for length in 8...bytes.count {
                #expect(try unmap(Array(bytes[..<length])).fails(.illegalRequest, 0x1A00))
            }
        }
    }

    @Test func randomListsNeverLeaveTheMedium() throws {
        var random = SeededRandom(seed: 42)
        var served = 0
        for _ in 0..<500 {
            let ranges = (0..<random.below(6)).map { _ in
                SectorRange(
                    start: random.next() >> UInt64(42 + random.below(10)), count: UInt32(random.below(5000)))
            }
            var bytes = list(ranges)
            if random.oneIn(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let disposition = try unmap(bytes)
            for range in disposition.unmapRanges ?? [] {
                #expect(range.start <= TestUnit.sectorCount && range.end <= TestUnit.sectorCount)
            }
            served += disposition.unmapRanges == nil ? 0 : 1
        }
        #expect(served > 50)
    }
}
