// SPDX-License-Identifier: Apache-2.0
import Messages
import Platform
import SCSI
import Testing
import Wire

// The table belongs to this executable alone, so nothing of it is visible from outside.
@testable import ISCSIFrontend

struct TargetTableTests {
    private let table = TargetTable(patience: .seconds(20))
    private let description = MemoryVolume(byteCount: 1 << 20).description

    private func manager(_ id: Int, incarnation: UInt64 = 1) -> CacheLink.State {
        CacheLink.State(
            id: CacheLink.ID(rawValue: id), incarnation: ServiceInstance(rawValue: UInt64(id) * 1000 + incarnation))
    }

    private func update(
        _ volumes: VolumeDescription..., from manager: CacheLink.State, connected: Set<Int> = [1, 2],
        at seconds: UInt64 = 0
    ) -> TargetTable.Change {
        table.update(
            volumes, from: manager, connection: { $0.rawValue > 2 ? nil : connected.contains($0.rawValue) },
            now: MonotonicInstant(nanoseconds: seconds * 1_000_000_000))
    }

    private var target: Target? { table[description.targetName] }

    @Test func targetsComeChangeAndGo() {
        var description = description
        var change = update(description, from: manager(1))
        #expect(change.removed.isEmpty && table.count == 1)
        description.byteCount *= 2
        description.access = VolumeAccess(allowsSanitize: true, coldResetCount: 3)
        _ = update(description, from: manager(1))
        #expect(target?.decoder.unit.sectorCount == 4096)
        #expect(target?.decoder.unit.isSanitizeAllowed == true && target?.coldResetCount == 3)
        // Another volume of the same name is another target.
        var other = description
        other.id = VolumeID(rawValue: 99)
        other.status = .available
        change = update(other, from: manager(1))
        #expect(change.removed.count == 1 && target?.volume == other.id)
        other.status = .deleting
        change = update(other, from: manager(1))
        #expect(change.removed.count == 1 && table.count == 0)
    }

    @Test func eachCacheManagerSpeaksOfItsOwnVolumesOnly() {
        var other = description
        other.id = VolumeID(rawValue: 99)
        other.targetName += "-other"
        _ = update(description, from: manager(1))
        #expect(update(other, from: manager(2)).removed.isEmpty)
        #expect(table.count == 2)
        #expect(table.isUsed(CacheLink.ID(rawValue: 2)) && !table.isUsed(CacheLink.ID(rawValue: 3)))
        #expect(update(from: manager(2)).removed.map(\.volume) == [other.id])
        #expect(target != nil)
    }

    @Test func aVolumeMovesOnceItsCacheManagerIsAway() {
        _ = update(description, from: manager(1))
        #expect(update(description, from: manager(2)).moved.isEmpty, "the first one still has it")
        #expect(target?.manager.id.rawValue == 1)
        let moved = update(description, from: manager(2), connected: [2]).moved
        #expect(moved.map(\.from.rawValue) == [1] && target?.manager.id.rawValue == 2)
        // The first one is back without it: nothing of it is left there to be removed.
        #expect(update(from: manager(1, incarnation: 2)).removed.isEmpty && target != nil)
    }

    @Test func aFencedVolumeGivesWay() {
        var fenced = description
        fenced.status = .fenced
        _ = update(fenced, from: manager(1))
        #expect(update(fenced, from: manager(2)).moved.isEmpty)
        #expect(update(description, from: manager(2)).moved.count == 1)
        #expect(target?.decoder.unit.readiness == .ready)
    }

    @Test func aVolumeOfTheSameNameDoesNotPushAnotherOut() {
        var other = description
        other.id = VolumeID(rawValue: 99)
        _ = update(description, from: manager(1))
        let change = update(other, from: manager(2))
        #expect(change.removed.isEmpty && change.moved.isEmpty && target?.volume == description.id)
    }

    @Test func whatARestartDidNotBringBackIsWaitedFor() {
        _ = update(description, from: manager(1))
        let again = manager(1, incarnation: 2)
        #expect(update(from: again, at: 10).removed.isEmpty)
        #expect(update(from: again, at: 29).removed.isEmpty)
        #expect(update(description, from: manager(2), at: 29).moved.count == 1, "it was there a little later")
        #expect(update(from: again, at: 40).removed.isEmpty && target?.missingSince == nil)
    }

    @Test func whatBelongedToALinkThatIsGoneGoesWithTime() {
        _ = update(description, from: manager(9))
        #expect(update(from: manager(1), at: 10).removed.isEmpty)
        #expect(update(from: manager(1), at: 29).removed.isEmpty)
        #expect(update(from: manager(1), at: 30).removed.count == 1)
    }

    @Test func whatNobodyBringsBackIsGoneInTheEnd() {
        _ = update(description, from: manager(1))
        let again = manager(1, incarnation: 2)
        #expect(update(from: again, at: 10).removed.isEmpty)
        #expect(update(from: again, at: 30).removed.count == 1 && target == nil)
    }
}
