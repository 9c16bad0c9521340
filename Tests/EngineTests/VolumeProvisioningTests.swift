// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing
import Wire

@Suite struct VolumeProvisioningTests {
    private static let sectorCount: UInt64 = (1 << 30) / 512

    private func range(_ start: UInt64, _ end: UInt64, _ isMapped: Bool) -> ProvisionedRange {
        ProvisionedRange(sectors: SectorRange(start: start, count: UInt32(end - start)), isMapped: isMapped)
    }

    private func write(_ harness: VolumeHarness, _ start: UInt64, _ count: UInt32) {
        harness.send(
            .write(SectorRange(start: start, count: count)), sectors(Int(count), of: 5))
    }

    @Test func anEmptyVolumeIsOneUnmappedRange() {
        let harness = VolumeHarness()
        #expect(harness.stored(from: 0) == [range(0, Self.sectorCount, false)])
        #expect(harness.stored(from: 13) == [range(13, Self.sectorCount, false)])
        #expect(harness.stored(from: Self.sectorCount - 1) == [range(Self.sectorCount - 1, Self.sectorCount, false)])
        #expect(harness.stored(from: Self.sectorCount) == nil)
    }

    /// The same whether it is in the journal, in packs or in the tree.
    @Test(arguments: 0..<3) func saysWhatIsStoredWhereverItLies(place: Int) throws {
        var limits = VolumeHarness.limits
        limits.foldCommitCount = place == 2 ? 1 : 64
        let harness = VolumeHarness(limits: limits)
        write(harness, 16, 16)
        write(harness, 41, 2)
        write(harness, 2_000_000, 8)
        harness.send(.unmap([SectorRange(start: 24, count: 4)]))
        if place > 0 {
            harness.commit()
            harness.pass(seconds: 30)
            try harness.takeOver()
        }
        #expect(
            harness.stored(from: 0) == [
                range(0, 16, false), range(16, 32, true), range(32, 40, false), range(40, 48, true),
                range(48, 2_000_000, false), range(2_000_000, 2_000_008, true),
                range(2_000_008, Self.sectorCount, false),
            ])
        #expect(harness.stored(from: 20, limit: 2) == [range(20, 32, true), range(32, 40, false)])
    }

    @Test func changesInTheJournalLieOverWhatIsCommitted() {
        let harness = VolumeHarness()
        write(harness, 0, 64)
        harness.commit()
        harness.send(.unmap([SectorRange(start: 8, count: 16), SectorRange(start: 33, count: 7)]))
        #expect(
            harness.stored(from: 0) == [
                range(0, 8, true), range(8, 24, false), range(24, 64, true), range(64, Self.sectorCount, false),
            ])
        // The rest of a block that was unmapped in part.
        harness.send(.unmap([SectorRange(start: 32, count: 1)]))
        #expect(harness.stored(from: 24, limit: 1) == [range(24, 32, true)])
        harness.commit()
        harness.pass(seconds: 20)
        #expect(
            harness.stored(from: 24) == [
                range(24, 32, true), range(32, 40, false), range(40, 64, true), range(64, Self.sectorCount, false),
            ])
    }

    @Test func nothingIsStoredAfterTheWholeVolumeWasUnmapped() {
        let harness = VolumeHarness()
        write(harness, 5, 100)
        write(harness, 1_000_000, 100)
        harness.commit()
        write(harness, 77, 9)
        // In pieces that end within a block.
        let middle: UInt64 = 1_000_003
        harness.send(.unmap([SectorRange(start: 0, count: UInt32(middle))]))
        harness.send(.unmap([SectorRange(start: middle, count: UInt32(Self.sectorCount - middle))]))
        #expect(harness.stored(from: 0) == [range(0, Self.sectorCount, false)])
        harness.commit()
        harness.pass(seconds: 20)
        #expect(harness.stored(from: 0) == [range(0, Self.sectorCount, false)])
    }

    @Test func aBlockIsUnmappedInPartsOfWhichOneIsBeingCommitted() {
        let harness = VolumeHarness()
        write(harness, 8, 8)
        harness.commit()
        harness.keepsBack = { if case .putPack = $0 { true } else { false } }
        harness.send(.unmap([SectorRange(start: 8, count: 3)]))
        harness.commit()
        #expect(harness.stored(from: 0, limit: 2) == [range(0, 8, false), range(8, 16, true)])
        harness.send(.unmap([SectorRange(start: 11, count: 5)]))
        #expect(harness.stored(from: 0) == [range(0, Self.sectorCount, false)])
        harness.release()
        harness.commit()
        #expect(harness.stored(from: 0) == [range(0, Self.sectorCount, false)])
    }

    @Test func aQuestionLooksAtABoundedPartOfTheMap() {
        var limits = VolumeHarness.limits
        limits.provisioningStepCount = 4
        limits.foldCommitCount = 1
        let harness = VolumeHarness(limits: limits)
        for leaf in 0..<20 { write(harness, UInt64(leaf) * 8192, 8) }
        harness.commit()
        harness.pass(seconds: 30)
        var sector: UInt64 = 0
        var answers = 0
        var found: [ProvisionedRange] = []
        while sector < Self.sectorCount, let ranges = harness.stored(from: sector), let last = ranges.last {
            found += ranges
            sector = last.sectors.end
            answers += 1
        }
        #expect(sector == Self.sectorCount && answers > 1)
        #expect(found.filter(\.isMapped).map(\.sectors.start) == (0..<20).map { UInt64($0) * 8192 })
    }

    @Test func waitsForMapNodesAsReadsDo() throws {
        var limits = VolumeHarness.limits
        limits.foldCommitCount = 1
        let harness = VolumeHarness(limits: limits)
        write(harness, 16, 16)
        harness.commit()
        harness.pass(seconds: 30)
        harness.keepsBack = { if case .getNode = $0 { true } else { false } }
        try harness.takeOver()
        let caller = harness.call { $0.provisioning(from: 0, descriptorLimit: 2, caller: $1, at: $2) }
        #expect(harness.provisioning[caller] == nil)
        harness.release()
        #expect(harness.provisioning[caller] == .success([range(0, 16, false), range(16, 32, true)]))
        // And for no longer.
        harness.keepsBack = { if case .getNode = $0 { true } else { false } }
        try harness.takeOver()
        let late = harness.call { $0.provisioning(from: 0, descriptorLimit: 2, caller: $1, at: $2) }
        harness.pass(seconds: 11)
        #expect(harness.provisioning[late] == .failure(.busy))
    }
}
