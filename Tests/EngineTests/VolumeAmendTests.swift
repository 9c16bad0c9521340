// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Testing
import Wire

@Suite struct VolumeAmendTests {
    private static let firstNewSector: UInt64 = (1 << 30) / 512
    private let beyond = SectorRange(start: firstNewSector + 100, count: 8)
    private let growth = HeadChange(byteCount: 600 << 30)

    @Test func aGrownVolumeHoldsZerosAndThenWhatIsWritten() throws {
        let harness = VolumeHarness()
        harness.send(.write(SectorRange(start: 8, count: 8)), sectors(8, of: 3))
        harness.commit()
        let refused = harness.send(.read(beyond))
        let caller = harness.amend(growth)
        #expect(try harness.finished[caller]?.get().byteCount == 600 << 30)
        #expect(try harness.storedHead()?.byteCount == 600 << 30 && harness.state?.head.byteCount == 600 << 30)
        #expect(harness.lastReply(to: refused) == "outOfRange")
        #expect(harness.read(beyond) == sectors(8, of: 0))
        harness.send(.write(beyond), sectors(8, of: 9))
        harness.commit()
        harness.pass(seconds: 1000)  // A fold puts a level on top of the tree.
        try harness.restart()
        #expect(harness.read(beyond) == sectors(8, of: 9))
        #expect(harness.read(SectorRange(start: 8, count: 8)) == sectors(8, of: 3))
        // And what needs nothing but the bucket.
        let head = try #require(try harness.storedHead())
        let objects = harness.objects
        let reader = ImageReader(root: head.root, volumeByteCount: head.byteCount) { key, byteOffset, byteCount in
            Array(try #require(objects[key]).bytes[Int(byteOffset)..<Int(byteOffset) + byteCount])
        }
        var dataBlocks: [BlockRange] = []
        var end = BlockIndex(0)
        try reader.forEachExtent { blocks, content in
            if case .bytes = content { dataBlocks.append(blocks) }
            end = blocks.end
        }
        #expect(end == BlockIndex((600 << 30) / 4096))
        #expect(dataBlocks.contains { $0.contains(BlockIndex(1)) })
        #expect(dataBlocks.contains { $0.contains(BlockIndex(beyond.start / 8)) })
    }

    @Test func nothingIsInEffectBeforeHeadAndTheLocalStateSayIt() {
        let harness = VolumeHarness()
        harness.keepsBack = { $0.isHead }
        let caller = harness.amend(growth)
        #expect(harness.finished[caller] == nil && harness.volume.byteCount == 1 << 30)
        harness.release()
        #expect(harness.volume.byteCount == 600 << 30 && harness.settingsInEffect.count == 1)
        harness.keepsBack = { $0.isStateSave }
        let again = harness.amend(HeadChange(byteCount: 601 << 30))
        #expect(harness.finished[again] == nil && harness.volume.byteCount == 600 << 30)
        harness.release()
        #expect(harness.finished[again] != nil && harness.volume.byteCount == 601 << 30)
    }

    @Test func aCrashAfterHeadLandedKeepsTheChange() throws {
        let harness = VolumeHarness()
        harness.keepsBack = { $0.isStateSave }
        _ = harness.amend(growth)
        harness.keepsBack = { _ in false }
        #expect(harness.state?.head.byteCount == 1 << 30)
        try harness.restart()
        #expect(harness.volume.byteCount == 600 << 30)
        #expect(harness.settingsInEffect.last?.byteCount == 600 << 30)
        #expect(harness.read(beyond) == sectors(8, of: 0))
    }

    @Test func aCrashBeforeHeadLandedForgetsIt() throws {
        let harness = VolumeHarness()
        harness.keepsBack = { $0.isHead }
        _ = harness.amend(growth)
        harness.keepsBack = { _ in false }
        try harness.restart()
        #expect(harness.volume.byteCount == 1 << 30)
    }

    @Test func severalChangesShareOneHead() throws {
        let harness = VolumeHarness()
        let number = try #require(try harness.storedHead()).commitNumber
        harness.keepsBack = { $0.isSync }
        let first = harness.amend(HeadChange(name: "first", isReadOnly: true))
        let second = harness.amend(HeadChange(name: "second", compressionLevel: 9, isSanitizeAllowed: true))
        harness.release()
        #expect(try harness.finished[first]?.get().name == "second")
        let head = try #require(try harness.finished[second]?.get())
        #expect(head.name == "second" && head.compressionLevel == 9 && head.commitNumber == number + 1)
        #expect(head.settings.isReadOnly && head.settings.isSanitizeAllowed)
        let off = harness.amend(HeadChange(isReadOnly: false))
        #expect(try harness.finished[off]?.get().readOnly == nil)
    }

    @Test func aChangeRidesOnTheCommitThatRuns() throws {
        let harness = VolumeHarness()
        harness.send(.write(SectorRange(start: 8, count: 8)), sectors(8, of: 3))
        harness.keepsBack = { if case .putPack = $0 { true } else { false } }
        let commit = harness.commit()
        let caller = harness.amend(HeadChange(name: "renamed"))
        #expect(harness.finished[caller] == nil)
        harness.release()
        let head = try #require(try harness.finished[commit]?.get())
        #expect(head.name == "renamed")
        #expect(try harness.finished[caller]?.get().commitNumber == head.commitNumber)
    }

    @Test func aChangeWaitsForASnapshotToBeKept() throws {
        let harness = VolumeHarness()
        harness.send(.write(SectorRange(start: 8, count: 8)), sectors(8, of: 3))
        let cut = harness.call { volume, caller, time in _ = try? volume.cut(caller: caller, at: time) }
        let caller = harness.amend(growth)
        #expect(try harness.finished[cut]?.get().byteCount == 1 << 30)
        #expect(harness.finished[caller] == nil)
        harness.volume.didKeep(cut, at: harness.time)
        harness.settle()
        #expect(try harness.finished[caller]?.get().byteCount == 600 << 30)
    }

    @Test func everyWriteIsDurableFirstFromThenOn() {
        let harness = VolumeHarness()
        let range = SectorRange(start: 8, count: 8)
        let before = harness.send(.write(range), sectors(8, of: 3))
        #expect(harness.lastReply(to: before) == "good")
        let caller = harness.amend(HeadChange(durability: "always"))
        #expect(harness.finished[caller] != nil)
        harness.keepsBack = { $0.isSync }
        let after = harness.send(.write(range), sectors(8, of: 4))
        #expect(harness.lastReply(to: after) == nil)
        harness.release()
        #expect(harness.lastReply(to: after) == "good")
    }

    @Test(arguments: [
        HeadChange(byteCount: 1 << 29), HeadChange(byteCount: (1 << 30) + 4096), HeadChange(byteCount: 65 << 40),
        HeadChange(name: ""), HeadChange(targetName: ""), HeadChange(durability: "never"),
        HeadChange(compressionLevel: 10), HeadChange(commitIntervalSeconds: 1),
    ])
    func refusesWhatCannotBe(change: HeadChange) {
        let harness = VolumeHarness()
        let caller = harness.amend(change)
        guard case .failure(.invalidChange) = harness.finished[caller] else {
            Issue.record("\(change) is answered \(String(describing: harness.finished[caller]))")
            return
        }
    }

    @Test func aChangeOfNothingWritesNothing() throws {
        let harness = VolumeHarness()
        let number = try #require(try harness.storedHead()).commitNumber
        let caller = harness.amend(HeadChange(name: "data", byteCount: 1 << 30))
        #expect(try harness.finished[caller]?.get().commitNumber == number)
    }

    @Test func aStoppingVolumeRefusesAndAnAbsentBucketIsNotWaitedForForEver() {
        let harness = VolumeHarness()
        harness.send(.write(SectorRange(start: 8, count: 8)), sectors(8, of: 3))
        harness.keepsBack = { if case .putPack = $0 { true } else { false } }
        harness.commit()
        let waiting = harness.amend(HeadChange(name: "renamed"))
        harness.pass(seconds: 61)
        guard case .failure(.bucketUnavailable) = harness.finished[waiting] else {
            Issue.record("\(String(describing: harness.finished[waiting]))")
            return
        }
        _ = harness.call { $0.stop(caller: $1, at: $2) }
        let caller = harness.amend(HeadChange(name: "renamed"))
        #expect(harness.finished[caller] == .failure(.stopped))
    }
}
