// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Platform
import Testing
import Wire

struct VolumeRegistryTests {
    private final class Place {
        let path: String
        let registry: VolumeRegistry
        init() throws {
            path = NSTemporaryDirectory() + "sluice-registry-test-" + String(Randomness.uint64(), radix: 16)
            try Platform.FileSystem.createDirectory(path)
            registry = VolumeRegistry(SlotFolders(path))
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func state(_ volume: UInt64, start: UInt32 = 1) -> LocalState {
        LocalState(
            volume: VolumeID(rawValue: volume), start: start,
            head: Head(
                volume: VolumeID(rawValue: volume), name: "db", targetName: "iqn.2025-01.test:db",
                byteCount: 1 << 30, createdMilliseconds: 1, durability: "onFlush", compressionLevel: 1,
                commitIntervalSeconds: 10, uploadBufferByteCount: 1 << 26, lineage: 1,
                owner: GatewayID(rawValue: 1), commit: CommitID(high: 1, low: 2), cutMilliseconds: 1),
            headTag: EntityTag("v1"))
    }

    @Test func whatWasSavedLastIsLoaded() throws {
        let place = try Place()
        try place.registry.save(state(7, start: 1))
        try place.registry.save(state(7, start: 2))
        try place.registry.save(state(8))
        #expect(try place.registry.contents(of: place.path).volumes == [VolumeID(rawValue: 7), VolumeID(rawValue: 8)])
        #expect(try place.registry.load(VolumeID(rawValue: 7)) == state(7, start: 2))
    }

    @Test func aDirectoryWithoutAStateWasNeverAVolume() throws {
        let place = try Place()
        let unfinished = place.path + "/" + VolumeID(rawValue: 5).description
        try Platform.FileSystem.createDirectory(unfinished)
        try Platform.FileSystem.replaceFile(unfinished + "/state.json.new", with: [1])
        let contents = try place.registry.contents(of: place.path)
        #expect(contents.volumes.isEmpty && contents.beingRemoved.isEmpty)
        #expect(!Platform.FileSystem.exists(unfinished))
    }

    @Test func aRemovalThatWasCutShortIsFinished() throws {
        let place = try Place()
        let volume = VolumeID(rawValue: 7)
        try place.registry.save(state(7))
        try place.registry.beginRemoval(of: volume)
        let contents = try place.registry.contents(of: place.path)
        #expect(contents.volumes.isEmpty)
        #expect(contents.beingRemoved == [volume])
        try place.registry.finishRemoval(of: volume)
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
        try place.registry.beginRemoval(of: volume)
        #expect(try place.registry.contents(of: place.path).beingRemoved.isEmpty)
    }

    @Test func aDamagedStateIsNotLoaded() throws {
        let place = try Place()
        try place.registry.save(state(7))
        let file = "\(place.path)/\(VolumeID(rawValue: 7))/state.json"
        var bytes = try Platform.FileSystem.readFile(file, limit: 1 << 20)
        bytes.removeLast(bytes.count / 2)
        try Platform.FileSystem.replaceFile(file, with: bytes)
        #expect(throws: EngineError.self) { _ = try place.registry.load(VolumeID(rawValue: 7)) }
    }
}
