// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing
import Wire

@Suite struct VolumeReadModifyWriteTests {
    private let range = SectorRange(start: 3, count: 10)

    @Test func orWriteAddsBitsToWhatIsThere() {
        let harness = VolumeHarness()
        harness.send(.write(range), sectors(10, of: 0x0f))
        let origin = harness.send(.orWrite(range), sectors(10, of: 0x30))
        #expect(harness.lastReply(to: origin) == "good")
        #expect(harness.read(range) == sectors(10, of: 0x3f))
        #expect(harness.read(SectorRange(start: 0, count: 3)) == sectors(3, of: 0))
    }

    @Test func orWriteOfCommittedBlocksReadsTheBucket() throws {
        let harness = VolumeHarness()
        harness.send(.write(range), sectors(10, of: 0x0f))
        harness.commit()
        try harness.takeOver()
        harness.send(.orWrite(range), sectors(10, of: 0xf0), forceUnitAccess: true)
        #expect(harness.frameCount > 0)
        #expect(harness.read(range) == sectors(10, of: 0xff))
    }

    @Test func aRepeatedOrWriteIsNotAppliedAgain() throws {
        let harness = VolumeHarness()
        let origin = harness.send(.orWrite(range), sectors(10, of: 0x30))
        harness.send(.write(range), sectors(10, of: 0x01))
        harness.send(.orWrite(range), sectors(10, of: 0x30), as: origin)
        #expect(harness.replies[origin]?.count == 2)
        #expect(harness.read(range) == sectors(10, of: 0x01))
        try harness.restart()
        harness.send(.orWrite(range), sectors(10, of: 0x30), as: origin)
        #expect(harness.lastReply(to: origin) == "good")
        #expect(harness.read(range) == sectors(10, of: 0x01))
    }

    @Test func changesOfTheSameSectorsWaitForAnOrWrite() {
        let harness = VolumeHarness()
        harness.send(.write(range), sectors(10, of: 0x0f))
        harness.keepsBack = { $0.isJournalWrite }
        harness.send(.orWrite(range), sectors(10, of: 0x10))
        let write = harness.send(.write(range), sectors(10, of: 0x80))
        let second = harness.send(.orWrite(range), sectors(10, of: 0x01))
        #expect(harness.lastReply(to: write) == nil && harness.lastReply(to: second) == nil)
        harness.release()
        #expect(harness.read(range) == sectors(10, of: 0x81))
    }

    @Test func compareSaysWhereTheFirstDifferenceIs() {
        let harness = VolumeHarness()
        harness.send(.write(range), sectors(10, of: 7))
        let good = harness.send(.compare(range), sectors(10, of: 7))
        var expected = sectors(10, of: 7)
        expected[700] = 8
        let different = harness.send(.compare(range), expected)
        let zeros = harness.send(.compare(SectorRange(start: 100, count: 2)), sectors(2, of: 0))
        #expect(harness.lastReply(to: good) == "good")
        #expect(harness.lastReply(to: different) == "miscompare(byteOffset: 700)")
        #expect(harness.lastReply(to: zeros) == "good")
    }

    @Test func compareAndWriteSaysWhereWhateverByteDiffers() {
        let harness = VolumeHarness()
        let (old, new) = (sectors(1, of: 7), sectors(1, of: 9))
        let range = SectorRange(start: 11, count: 1)
        harness.send(.write(range), old)
        for offset in 0..<512 {
            var expected = old
            expected[offset] ^= 0x80
            let origin = harness.send(.compareAndWrite(range), expected + new)
            #expect(harness.lastReply(to: origin) == "miscompare(byteOffset: \(offset))")
        }
        #expect(harness.read(range) == old)
        harness.send(.compareAndWrite(range), old + new)
        #expect(harness.read(range) == new)
    }

    @Test func compareRepeatsOneSectorOrBlock() {
        let harness = VolumeHarness()
        harness.send(.write(SectorRange(start: 8, count: 24)), sectors(24, of: 7))
        harness.send(.write(SectorRange(start: 30, count: 1)), sectors(1, of: 8))
        func compare(_ start: UInt64, _ count: UInt32, _ payload: [UInt8]) -> String? {
            harness.lastReply(to: harness.send(.compare(SectorRange(start: start, count: count)), payload))
        }
        #expect(compare(9, 21, sectors(1, of: 7)) == "good")
        #expect(compare(8, 16, sectors(8, of: 7)) == "good")
        #expect(compare(9, 23, sectors(1, of: 7)) == "miscompare(byteOffset: \(21 * 512))")
        #expect(compare(8, 24, sectors(8, of: 7)) == "miscompare(byteOffset: \(22 * 512))")
        #expect(compare(1000, 64, sectors(1, of: 0)) == "good")
    }

    @Test func compareAndPrefetchAreInNoTable() {
        let harness = VolumeHarness()
        let origin = harness.send(.compare(range), sectors(10, of: 7))
        harness.send(.write(range), sectors(10, of: 7))
        harness.send(.compare(range), sectors(10, of: 7), as: origin)
        #expect(harness.lastReply(to: origin) == "good")
    }

    @Test func compareIsOfOneImage() throws {
        var limits = VolumeHarness.limits
        limits.foldCommitCount = 1
        let harness = VolumeHarness(limits: limits)
        let first = SectorRange(start: 8, count: 8)
        let second = SectorRange(start: 16, count: 8)
        harness.send(.write(first), sectors(8, of: 1))
        harness.commit()
        harness.pass(seconds: 30)
        harness.keepsBack = { if case .getNode = $0 { true } else { false } }
        try harness.takeOver()
        harness.send(.write(second), sectors(8, of: 1))
        let both = SectorRange(start: 8, count: 16)
        // Never there: the first block waits for the map, the second was found in the journal.
        let torn = harness.send(.compare(both), sectors(8, of: 2) + sectors(8, of: 1))
        let whole = harness.send(.compare(both), sectors(16, of: 2))
        harness.send(.write(both), sectors(16, of: 2))
        harness.commit()
        #expect(harness.lastReply(to: torn) == nil)
        harness.release()
        #expect(harness.lastReply(to: torn) == "miscompare(byteOffset: 4096)")
        #expect(harness.lastReply(to: whole) == "good")
    }

    @Test func prefetchBringsFramesAndNeverFails() throws {
        let harness = VolumeHarness()
        harness.send(.write(range), sectors(10, of: 1))
        harness.commit()
        try harness.takeOver()
        let origin = harness.send(.prefetch(range))
        #expect(harness.lastReply(to: origin) == "good" && harness.frameCount == 1)
        #expect(harness.read(range) == sectors(10, of: 1) && harness.frameCount == 1)
        harness.keepsBack = { if case .getFrame = $0 { true } else { false } }
        try harness.takeOver()
        #expect(harness.lastReply(to: harness.send(.prefetch(range))) == "good")
        let beyond = harness.send(.prefetch(SectorRange(start: (1 << 30) / 512, count: 1)))
        #expect(harness.lastReply(to: beyond) == "outOfRange")
    }

    @Test func newCommandsAreCheckedAgainstTheVolumesEnd() {
        let harness = VolumeHarness()
        let beyond = SectorRange(start: (1 << 30) / 512 - 1, count: 2)
        let compare = harness.send(.compare(beyond), sectors(2, of: 0))
        let orWrite = harness.send(.orWrite(beyond), sectors(2, of: 0))
        #expect(harness.lastReply(to: compare) == "outOfRange")
        #expect(harness.lastReply(to: orWrite) == "outOfRange")
    }
}
