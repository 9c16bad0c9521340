// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Platform
import ServiceKit
package import Wire

/// The cache manager's part of the state directory: `gateway.json`, and slot 0 with its volumes. Holding the value
/// means holding the slot's lock, which the kernel drops when the process dies.
package final class StateDirectory: Sendable {
    package let path: String
    package var volumesPath: String { path + "/slots/0/volumes" }
    private let lock: BlockFile

    /// Locks slot 0; refuses if another cache manager has it.
    package init(path: String) throws {
        self.path = path
        for directory in [path + "/slots", path + "/slots/0", path + "/slots/0/volumes"] {
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
        if Platform.FileSystem.exists(file) {
            let bytes = try Platform.FileSystem.readFile(file, limit: 64 << 10)
            let decoder = JSONDecoder()
            decoder.userInfo[.identifiersAsText] = true
            // The version first: a newer file may hold anything else.
            let version = (try? decoder.decode(GatewayRecordVersion.self, from: Data(bytes)))?.formatVersion
            guard version ?? 0 <= GatewayRecord.currentVersion else {
                throw ServiceFailure(
                    .badData,
                    "\(file) was written by a newer program (format \(version ?? 0), this one knows "
                        + "\(GatewayRecord.currentVersion)): use that one")
            }
            guard let record = try? decoder.decode(GatewayRecord.self, from: Data(bytes)) else {
                throw ServiceFailure(
                    .badData,
                    "\(file) cannot be read as a gateway's identity; restore it from a backup, "
                        + "or move it away to start as a new gateway")
            }
            return record.gateway
        }
        let record = GatewayRecord(formatVersion: GatewayRecord.currentVersion, gateway: GatewayID(rawValue: random()))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.userInfo[.identifiersAsText] = true
        try Platform.FileSystem.replaceFile(file, with: Array(try encoder.encode(record)))
        return record.gateway
    }
}

/// `gateway.json`: who this gateway is, for as long as its state directory lives.
private struct GatewayRecord: Codable {
    static let currentVersion = 1
    var formatVersion: Int
    var gateway: GatewayID
}

/// All that is read before it is known whether the rest is understood.
private struct GatewayRecordVersion: Decodable {
    var formatVersion: Int
}
