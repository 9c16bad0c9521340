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
        let changes: [(CacheChangeRequest.Change, BusFault.Code)] = [
            (.add(directory: gateway.directory + "/missing", byteCount: 1 << 30), .invalidArgument),
            (.add(directory: gateway.directory + "/cache", byteCount: nil), .inUse),
            (.add(directory: gateway.directory + "/journal-a", byteCount: 1 << 30), .inUse),
            (.add(directory: gateway.directory + "/cache/../cache", byteCount: 1 << 30), .inUse),
            (.remove(directory: path), .invalidArgument),
            (.remove(directory: gateway.directory + "/cache"), .invalidArgument),
            (.resize(byteCount: 1 << 20), .invalidArgument), (.resize(byteCount: 1 << 60), .invalidArgument),
        ]
        for (wrong, code) in changes {
            let fault = try gateway.fault { _ = try change(gateway, wrong) }
            #expect(fault.code == code, "\(wrong): \(fault.message)")
        }
        #expect(gateway.control.describeCache().isConfigured)
    }

    @Test func theConfigurationHoldsAgainOnceItIsChanged() throws {
        let gateway = try GatewayHarness()
        let state = try StateDirectory(path: gateway.directory + "/state")
        let configured = CacheSettings(configured: ["/a"], byteCount: 1 << 30)
        #expect(state.cacheSettings(configured: configured).settings == configured)
        var changed = configured
        changed.directories.append("/b")
        try Platform.FileSystem.replaceFile(state.cacheSettingsPath, with: try CacheSettingsFormat.encode(changed))
        #expect(state.cacheSettings(configured: configured).settings == changed)
        let other = CacheSettings(configured: ["/a"], byteCount: 2 << 30)
        let (settings, dropped) = state.cacheSettings(configured: other)
        #expect(settings == other && dropped != nil)
        try Platform.FileSystem.replaceFile(state.cacheSettingsPath, with: [1, 2, 3])
        #expect(state.cacheSettings(configured: configured).settings == configured)
    }
}
