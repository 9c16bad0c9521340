// SPDX-License-Identifier: Apache-2.0
package import Engine
import Platform
import ServiceKit
package import Wire

/// The cache manager's part of the state directory: `gateway.json`, and slot 0 with its volumes. Holding the value
/// means holding the slot's lock, which the kernel drops when the process dies.
package final class StateDirectory: Sendable {
    package let path: String
    package var volumesPath: String { path + "/slots/0/volumes" }
    package var cacheSettingsPath: String { path + "/slots/0/cache.json" }
    package var snapshotsPath: String { path + "/slots/0/snapshots" }
    package var standbysPath: String { path + "/slots/0/standbys" }
    private let lock: BlockFile

    /// Locks slot 0; refuses if another cache manager has it.
    package init(path: String) throws {
        self.path = path
        let own = ["volumes", "snapshots", "standbys"].map { path + "/slots/0/" + $0 }
        for directory in [path + "/slots", path + "/slots/0"] + own {
            try Platform.FileSystem.makeDurableDirectory(directory)
        }
        lock = try BlockFile(path: path + "/slots/0/lock", access: .readWrite, creation: .ifMissing)
        guard try lock.tryLock() else {
            throw ServiceFailure(
                .temporaryFailure,
                "another cache manager uses the state directory \(path) (it holds \(lock.path)); "
                    + "stop it, or give this one its own state.directory")
        }
    }

    /// The gateway's id: read, or drawn and written at the first start.
    package func gatewayID(drawing random: () -> UInt64) throws -> GatewayID {
        let file = path + "/gateway.json"
        guard Platform.FileSystem.exists(file) else {
            let identity = GatewayIdentity(gateway: GatewayID(rawValue: random()))
            try Platform.FileSystem.replaceFile(file, with: try GatewayIdentityFormat.encode(identity))
            return identity.gateway
        }
        let bytes = try Platform.FileSystem.readFile(file, limit: 64 << 10)
        do throws(EngineError) {
            return try GatewayIdentityFormat.decode(bytes).gateway
        } catch .newerFormat(_, let version) {
            throw ServiceFailure(
                .badData,
                "\(file) was written by a newer program (format \(version), this one knows "
                    + "\(GatewayIdentityFormat.version)): use that one")
        } catch {
            throw ServiceFailure(
                .badData,
                "\(file) cannot be read as a gateway's identity (\(error)); restore it from a backup, "
                    + "or move it away to start as a new gateway")
        }
    }

    /// The cache's directories and size: those set while running, if the configuration is still the one that they
    /// were set in place of.
    package func cacheSettings(configured: CacheSettings) -> StartingCache {
        guard Platform.FileSystem.exists(cacheSettingsPath) else {
            save(configured)
            return StartingCache(settings: configured)
        }
        do {
            let bytes = try Platform.FileSystem.readFile(cacheSettingsPath, limit: CacheSettingsFormat.byteLimit)
            let saved = try CacheSettingsFormat.decode(bytes)
            if saved.apply(to: configured) { return StartingCache(settings: saved) }
            save(configured)
            let isOverruled = !saved.isConfigured
            return StartingCache(
                settings: configured,
                dropped: isOverruled
                    ? "cache.directories or cache.size has been changed in the configuration since" : nil,
                abandoned: saved.directories.filter { !configured.directories.contains($0) })
        } catch {
            // Nothing is lost by a cache in other places.
            return StartingCache(settings: configured, dropped: "\(cacheSettingsPath) cannot be used: \(error)")
        }
    }

    /// So that the next start knows which directories this run has used; without it, what they hold stays there.
    private func save(_ settings: CacheSettings) {
        guard let bytes = try? CacheSettingsFormat.encode(settings) else { return }
        try? Platform.FileSystem.replaceFile(cacheSettingsPath, with: bytes)
    }
}

/// Where the read cache is at a start.
package struct StartingCache: Equatable, Sendable {
    package var settings: CacheSettings
    /// Why others that were saved do not hold, for people.
    package var dropped: String?
    /// Directories of the run before that are not used any more.
    package var abandoned: [String] = []
}
