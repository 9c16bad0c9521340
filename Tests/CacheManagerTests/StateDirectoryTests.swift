// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Messages
import Platform
import ServiceKit
import Testing
import Wire

struct StateDirectoryTests {
    private final class Place {
        let path: String
        init() throws {
            path = NSTemporaryDirectory() + "sluice-state-test-" + String(Randomness.uint64(), radix: 16)
            try Platform.FileSystem.createDirectory(path)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func state(_ volume: UInt64, _ name: String) -> LocalState {
        LocalState(
            volume: VolumeID(rawValue: volume), start: 1,
            head: Head(
                volume: VolumeID(rawValue: volume), name: name, targetName: "iqn.2025-01.test:" + name,
                byteCount: 1 << 30, createdMilliseconds: 1, durability: "onFlush", compressionLevel: 1,
                commitIntervalSeconds: 10, uploadBufferByteCount: 1 << 26, lineage: 1,
                owner: GatewayID(rawValue: 1), commit: CommitID(high: 1, low: 2), cutMilliseconds: 1),
            headTag: EntityTag("v1"))
    }

    private func save(_ state: LocalState, in directory: StateDirectory) throws {
        try VolumeRegistry(directory.folders(\.volumesPath)).save(state)
    }

    @Test func eachCacheManagerTakesASlotOfItsOwn() throws {
        let place = try Place()
        var first: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        let second = try StateDirectory(path: place.path, holder: "b")
        #expect(first?.slot.number == 0 && second.slot.number == 1)
        #expect(first?.slot.cacheDirectories(in: ["/a", "/b"]) == ["/a", "/b"])
        #expect(second.slot.cacheDirectories(in: ["/a", "/b"]) == ["/a/slot-1", "/b/slot-1"])
        first = nil
        #expect(try StateDirectory(path: place.path, holder: "a").slot.number == 0)
    }

    @Test func whoIsStartedAgainComesBackToItsSlotAndOthersLeaveItAlone() throws {
        let place = try Place()
        var first: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        var second: StateDirectory? = try StateDirectory(path: place.path, holder: "b")
        try save(state(1, "db"), in: try #require(first))
        try save(state(2, "log"), in: try #require(second))
        first = nil
        second = nil
        // In another order than before.
        second = try StateDirectory(path: place.path, holder: "b")
        #expect(second?.slot.number == 1)
        let stranger = try StateDirectory(path: place.path, holder: "c")
        #expect(stranger.slot.number == 2)
        #expect(try StateDirectory(path: place.path, holder: "a").slot.number == 0)
    }

    @Test func aSingleCacheManagerUnderANewNameTakesWhatThereIs() throws {
        let place = try Place()
        var old: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        try save(state(1, "db"), in: try #require(old))
        old = nil
        #expect(try StateDirectory(path: place.path, holder: "b").slot.number == 0)
    }

    @Test func theSlotOfACacheManagerThatIsGoneIsAdoptedByOne() throws {
        let place = try Place()
        let first = try StateDirectory(path: place.path, holder: "a")
        var second: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        let third = try StateDirectory(path: place.path, holder: "a")
        try save(state(7, "db"), in: try #require(second))
        #expect(first.look()?.filled == [1])
        #expect(first.look()?.abandoned == [], "its holder lives")
        #expect(try first.adopt(1) == nil)
        second = nil
        #expect(first.look()?.abandoned == [1])
        let slot = try #require(try first.adopt(1))
        #expect(try third.adopt(1) == nil)
        #expect(third.look()?.abandoned == [])
        #expect(try SlotContents(of: slot).volumes == [VolumeID(rawValue: 7)])
        // It stays where it is; what is new comes into the own slot.
        try save(state(7, "db"), in: first)
        try save(state(8, "log"), in: first)
        #expect(try FileManager.default.contentsOfDirectory(atPath: slot.volumesPath).count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: first.slot.volumesPath).count == 1)
        #expect(try first.volumes() == [VolumeID(rawValue: 7), VolumeID(rawValue: 8)])
        first.abandon(slot)
        #expect(first.heldSlots.count == 1)
    }

    @Test func whatWasAdoptedComesBackWithARestart() throws {
        let place = try Place()
        var first: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        var second: StateDirectory? = try StateDirectory(path: place.path, holder: "b")
        try save(state(1, "db"), in: try #require(first))
        try save(state(2, "log"), in: try #require(second))
        second = nil
        try first?.keep(try #require(try first?.adopt(1)))
        #expect(first?.folder(\.snapshotsPath, having: VolumeID(rawValue: 2))?.hasSuffix("/1/snapshots") == true)
        first = nil
        first = try StateDirectory(path: place.path, holder: "a")
        #expect(first?.heldSlots.map(\.number) == [0, 1])
        #expect(try StateDirectory(path: place.path, holder: "b").slot.number == 2, "its slot is another's now")
    }

    /// It must never become the slot that a cache manager starts with, for then it would not start.
    @Test func aSlotThatCannotBeUsedIsNobodysOwn() throws {
        let place = try Place()
        var first: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        try save(state(1, "db"), in: try #require(first))
        var second: StateDirectory? = try StateDirectory(path: place.path, holder: "b")
        try save(state(2, "log"), in: try #require(second))
        first = nil
        let slot = try #require(try second?.adopt(0))
        second?.abandon(slot)
        second = nil
        withExtendedLifetime(slot) {}
        #expect(try StateDirectory(path: place.path, holder: "b").slot.number == 1)
    }

    @Test func aSlotThatHoldsNothingIsNotAdopted() throws {
        let place = try Place()
        let first = try StateDirectory(path: place.path, holder: "a")
        _ = try StateDirectory(path: place.path, holder: "a")
        #expect(first.look()?.abandoned == [])
    }

    @Test func namesAndVolumesAreGivenOutOnce() throws {
        let place = try Place()
        let first = try StateDirectory(path: place.path, holder: "a")
        let second = try StateDirectory(path: place.path, holder: "b")
        let (one, two) = (VolumeID(rawValue: 1), VolumeID(rawValue: 2))
        #expect(NameClaims(first).claim("db", one) == nil)
        #expect(NameClaims(second).claim("db", two)?.code == .nameTaken)
        #expect(NameClaims(second).claim("other", one)?.code == .inUse)
        try save(state(1, "db"), in: first)
        NameClaims(first).release("db", one)
        #expect(NameClaims(second).claim("db", two)?.code == .nameTaken, "it has the volume now")
        #expect(NameClaims(second).claim("other", one)?.code == .inUse)
        #expect(NameClaims(second).claim("log", two) == nil)
        #expect(NameClaims(first).claim("log", VolumeID(rawValue: 3))?.code == .nameTaken)
        NameClaims(second).release("log", two)
        #expect(NameClaims(first).claim("log", VolumeID(rawValue: 3)) == nil)
    }

    @Test func theNameOfAStandbyIsKeptForIt() throws {
        let place = try Place()
        let first = try StateDirectory(path: place.path, holder: "a")
        let second = try StateDirectory(path: place.path, holder: "b")
        var head = state(1, "db").head
        (head.ownership, head.leaseMilliseconds) = (.lease, 30_000)
        let standby = Standby(head: head, createdMilliseconds: 1)
        try StandbyFiles(first.folders(\.standbysPath)).save(standby)
        #expect(NameClaims(second).claim("db", VolumeID(rawValue: 2))?.code == .nameTaken)
        #expect(NameClaims(second).claim("other", VolumeID(rawValue: 1))?.code == .inUse)
        #expect(NameClaims(second).claim("other", VolumeID(rawValue: 2)) == nil)
    }

    @Test func aCacheManagerThatHangsInTheRegistryHoldsNobodyUp() throws {
        let place = try Place()
        let first = try StateDirectory(path: place.path, holder: "a")
        let lock = try BlockFile(path: place.path + "/registry.lock", access: .readWrite, creation: .ifMissing)
        #expect(try lock.tryLock())
        #expect(NameClaims(first).claim("db", VolumeID(rawValue: 1))?.code == .busy)
    }

    @Test func whatAHolderThatDiedHadClaimedIsFreeForTheNext() throws {
        let place = try Place()
        let first = try StateDirectory(path: place.path, holder: "a")
        var second: StateDirectory? = try StateDirectory(path: place.path, holder: "a")
        #expect(NameClaims(try #require(second)).claim("db", VolumeID(rawValue: 1)) == nil)
        second = nil
        second = try StateDirectory(path: place.path, holder: "a")
        #expect(second?.slot.number == 1)
        #expect(NameClaims(first).claim("db", VolumeID(rawValue: 2)) == nil)
    }

    @Test func theGatewayKeepsItsIdentity() throws {
        let place = try Place()
        let id = GatewayID(rawValue: 0x1234)
        let first = try StateDirectory(path: place.path, holder: "a").gatewayID { id.rawValue }
        let again = try StateDirectory(path: place.path, holder: "a").gatewayID { 99 }
        #expect(first == id)
        #expect(again == id)
        let text = try String(contentsOfFile: place.path + "/gateway.json", encoding: .utf8)
        #expect(text.contains(id.description))
    }

    @Test(arguments: [
        ("not json", "cannot be read"), (#"{"formatVersion": 2, "gateway": "sgw-00000000000001234"}"#, "newer"),
        (#"{"formatVersion": 2}"#, "newer"), (#"{"formatVersion": 1, "gateway": "x"}"#, "cannot be read"),
        ("", "cannot be read"),
    ])
    func aDamagedOrNewerIdentityIsRefused(_ contents: String, _ word: String) throws {
        let place = try Place()
        let state = try StateDirectory(path: place.path, holder: "a")
        try Platform.FileSystem.replaceFile(place.path + "/gateway.json", with: Array(contents.utf8))
        let failure = #expect(throws: ServiceFailure.self) { _ = try state.gatewayID { 1 } }
        #expect(failure?.message.contains(word) == true)
        #expect(failure?.exitCode == .badData)
    }

    @Test(arguments: [("{", "cut short"), (#"{"formatVersion": 9}"#, "newer"), (nil, "Is a directory")])
    func aPromiseThatCannotBeReadIsNotForgotten(_ contents: String?, _ word: String) throws {
        let place = try Place()
        let path = try StateDirectory(path: place.path, holder: "a").slot.snapshotsPath
        let files = PendingSnapshotFiles(SlotFolders(path))
        #expect(try files.promises(in: path, of: []).snapshots.isEmpty)
        let file = "\(path)/\(SnapshotID(rawValue: 1)).json"
        if let contents {
            try Platform.FileSystem.replaceFile(file, with: Array(contents.utf8))
        } else {
            try Platform.FileSystem.createDirectory(file)
        }
        let failure = #expect(throws: ServiceFailure.self) {
            _ = try files.promises(in: path, of: [VolumeID(rawValue: 1)])
        }
        #expect(failure?.message.contains(word) == true && failure?.message.contains(file) == true, "\(failure as Any)")
        #expect(failure?.exitCode == .badData)
    }
}
