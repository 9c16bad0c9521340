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
    /// - Returns: the settings, and why others that were saved do not hold, for people.
    package func cacheSettings(configured: CacheSettings) -> (settings: CacheSettings, dropped: String?) {
        guard Platform.FileSystem.exists(cacheSettingsPath) else { return (configured, nil) }
        do {
            let bytes = try Platform.FileSystem.readFile(cacheSettingsPath, limit: CacheSettingsFormat.byteLimit)
            let saved = try CacheSettingsFormat.decode(bytes)
            guard saved.apply(to: configured) else {
                return (configured, "cache.directories or cache.size has been changed in the configuration since")
            }
            return (saved, nil)
        } catch {
            // Nothing is lost by a cache in other places.
            return (configured, "\(cacheSettingsPath) cannot be used: \(error)")
        }
    }
}
