// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Platform
import Testing
import Wire

struct ControlHandlerCacheTests {
    private func change(
        _ gateway: GatewayHarness, _ change: CacheChangeRequest.Change
    ) throws -> CacheDescription {
        let answer = try gateway.await {
            gateway.control.change(CacheChangeRequest(change), within: .seconds(30), answer: $0)
        }
        gateway.run()
        return answer
    }

    private func second(_ gateway: GatewayHarness) throws -> String {
        let path = gateway.directory + "/cache-b"
        try Platform.FileSystem.createDirectory(path)
        return path
    }

    @Test func directoriesAndSizeChangeWhileInUseAndStay() throws {
        let gateway = try GatewayHarness()
        let path = try second(gateway)
        #expect(gateway.control.describeCache().isConfigured)
        var cache = try change(gateway, .add(directory: path, byteCount: 128 << 20))
        #expect(cache.directories.map(\.path) == [gateway.directory + "/cache", path])
        #expect(cache.byteCount == 384 << 20 && !cache.isConfigured)
        cache = try change(gateway, .resize(byteCount: 512 << 20))
        #expect(cache.directories.map(\.byteCount) == [256 << 20, 256 << 20])
        try gateway.restart()
        cache = gateway.control.describeCache()
        #expect(cache.byteCount == 512 << 20 && cache.directories.map(\.path).contains(path))
        cache = try change(gateway, .remove(directory: gateway.directory + "/cache"))
        #expect(cache.directories.map(\.path) == [path] && cache.byteCount == 256 << 20)
    }

    @Test func whatCannotWorkIsRefused() throws {
        let gateway = try GatewayHarness()
        let path = try second(gateway)
        for name in ["/bucket/below", "/cache/below"] {
            try Platform.FileSystem.createDirectory(gateway.directory + name)
        }
        let changes: [(CacheChangeRequest.Change, BusFault.Code)] = [
            (.add(directory: gateway.directory + "/missing", byteCount: 1 << 30), .invalidArgument),
            (.add(directory: gateway.directory + "/cache", byteCount: nil), .inUse),
            (.add(directory: gateway.directory + "/journal-a", byteCount: 1 << 30), .inUse),
            (.add(directory: gateway.directory + "/cache/../cache", byteCount: 1 << 30), .inUse),
            (.add(directory: gateway.directory + "/cache/below", byteCount: 1 << 30), .inUse),
            (.add(directory: gateway.directory + "/bucket", byteCount: 1 << 30), .inUse),
            (.add(directory: gateway.directory + "/bucket/below", byteCount: 1 << 30), .inUse),
            (.add(directory: gateway.directory, byteCount: 1 << 30), .inUse),
            (.remove(directory: path), .invalidArgument),
            (.remove(directory: gateway.directory + "/cache"), .inUse),
            (.resize(byteCount: 1 << 20), .invalidArgument), (.resize(byteCount: 1 << 60), .invalidArgument),
        ]
        for (wrong, code) in changes {
            let fault = try gateway.fault { _ = try change(gateway, wrong) }
            #expect(fault.code == code, "\(wrong): \(fault.message)")
        }
        #expect(gateway.control.describeCache().isConfigured)
    }

    @Test func aDirectoryOfAnotherGatewayIsRefused() throws {
        let (gateway, other) = (try GatewayHarness(), try GatewayHarness())
        let taken = other.directory + "/cache"
        let fault = try gateway.fault { _ = try change(gateway, .add(directory: taken, byteCount: 128 << 20)) }
        #expect(fault.code == .inUse && fault.message.contains("\(taken) is used by another gateway"))
        // Once it is given up there, it may be had.
        let path = try second(other)
        _ = try change(other, .add(directory: path, byteCount: 128 << 20))
        _ = try change(other, .remove(directory: taken))
        let cache = try change(gateway, .add(directory: taken, byteCount: 128 << 20))
        #expect(cache.directories.last?.path == taken)
        gateway.run()
        #expect(gateway.control.describeCache().directories.last?.state == .inUse)
    }

    @Test func aDirectoryOfAnotherGatewayIsNotUsedAtStart() throws {
        let gateway = try GatewayHarness()
        let lock = try CacheFiles.lock(try second(gateway))
        _ = try change(gateway, .resize(byteCount: 512 << 20))
        let settings = CacheSettings(
            configured: [gateway.directory + "/cache", gateway.directory + "/cache-b"], byteCount: 512 << 20)
        try Platform.FileSystem.replaceFile(
            gateway.directory + "/cache.json", with: try CacheSettingsFormat.encode(settings))
        try gateway.restart()
        #expect(gateway.control.describeCache().directories.map(\.state) == [.inUse, .off])
        let isTold = gateway.cacheReports.contains { report in
            if case .directoryOff(_, let reason) = report { reason.contains("used by another gateway") } else { false }
        }
        #expect(isTold)
        withExtendedLifetime(lock) {}
    }

    @Test func whatIsLeftInAnAbandonedDirectoryIsRemoved() throws {
        let gateway = try GatewayHarness()
        let path = try second(gateway)
        for name in ["00000000.region", "0000001f.region", "somebody-elses"] {
            try Platform.FileSystem.replaceFile("\(path)/\(name)", with: [1])
        }
        var counts: [Int] = []
        // In use under another name, and in use elsewhere: neither is touched.
        gateway.shard.cache.clear(gateway.directory + "/cache-b/../cache") { counts.append($0) }
        var lock: BlockFile? = try CacheFiles.lock(path)
        gateway.shard.cache.clear(path) { counts.append($0) }
        withExtendedLifetime(lock) {}
        lock = nil
        gateway.shard.cache.clear(path) { counts.append($0) }
        gateway.shard.cache.clear(gateway.directory + "/missing") { counts.append($0) }
        gateway.run()
        #expect(counts == [0, 0, 2, 0])
        #expect(try Platform.FileSystem.list(path) == ["somebody-elses"])
    }

    @Test func theConfigurationHoldsAgainOnceItIsChanged() throws {
        let gateway = try GatewayHarness()
        let state = try StateDirectory(path: gateway.directory + "/state", holder: "test")
        let configured = CacheSettings(configured: ["/a"], byteCount: 1 << 30)
        #expect(state.cacheSettings(configured: configured).settings == configured)
        var changed = configured
        changed.directories.append("/b")
        try Platform.FileSystem.replaceFile(state.slot.cacheSettingsPath, with: try CacheSettingsFormat.encode(changed))
        #expect(state.cacheSettings(configured: configured).settings == changed)
        let other = CacheSettings(configured: ["/a"], byteCount: 2 << 30)
        let start = state.cacheSettings(configured: other)
        #expect(start.settings == other && start.dropped != nil && start.abandoned == ["/b"])
        // Told once.
        let again = state.cacheSettings(configured: other)
        #expect(again.settings == other && again.dropped == nil && again.abandoned.isEmpty)
        try Platform.FileSystem.replaceFile(state.slot.cacheSettingsPath, with: [1, 2, 3])
        #expect(state.cacheSettings(configured: configured).settings == configured)
    }
}
