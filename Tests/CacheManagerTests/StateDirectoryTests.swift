// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
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

    @Test func aSecondCacheManagerIsRefusedPlainlyAndMayComeLater() throws {
        let place = try Place()
        var first: StateDirectory? = try StateDirectory(path: place.path)
        let failure = #expect(throws: ServiceFailure.self) { _ = try StateDirectory(path: place.path) }
        #expect(failure?.message.contains("another cache manager") == true)
        #expect(failure?.message.contains(place.path) == true)
        #expect(failure?.exitCode == .temporaryFailure)
        withExtendedLifetime(first) {}
        first = nil
        _ = try StateDirectory(path: place.path)
    }

    @Test func theGatewayKeepsItsIdentity() throws {
        let place = try Place()
        let id = GatewayID(rawValue: 0x1234)
        let first = try StateDirectory(path: place.path).gatewayID { id.rawValue }
        let again = try StateDirectory(path: place.path).gatewayID { 99 }
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
        let state = try StateDirectory(path: place.path)
        try Platform.FileSystem.replaceFile(place.path + "/gateway.json", with: Array(contents.utf8))
        let failure = #expect(throws: ServiceFailure.self) { _ = try state.gatewayID { 1 } }
        #expect(failure?.message.contains(word) == true)
        #expect(failure?.exitCode == .badData)
    }

    @Test(arguments: [("{", "cut short"), (#"{"formatVersion": 9}"#, "newer"), (nil, "Is a directory")])
    func aPromiseThatCannotBeReadIsNotForgotten(_ contents: String?, _ word: String) throws {
        let place = try Place()
        let files = PendingSnapshotFiles(path: try StateDirectory(path: place.path).snapshotsPath)
        #expect(try files.promises(of: []).snapshots.isEmpty)
        let file = "\(files.path)/\(SnapshotID(rawValue: 1)).json"
        if let contents {
            try Platform.FileSystem.replaceFile(file, with: Array(contents.utf8))
        } else {
            try Platform.FileSystem.createDirectory(file)
        }
        let failure = #expect(throws: ServiceFailure.self) { _ = try files.promises(of: [VolumeID(rawValue: 1)]) }
        #expect(failure?.message.contains(word) == true && failure?.message.contains(file) == true, "\(failure as Any)")
        #expect(failure?.exitCode == .badData)
    }
}
