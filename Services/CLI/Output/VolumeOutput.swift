// SPDX-License-Identifier: Apache-2.0
package import Messages
package import ServiceKit
import Wire

/// A volume as `--json` shows it. Names are a promise to scripts: add, never rename.
package struct VolumeOutput: Encodable, Equatable, Sendable {
    package var id: String
    package var name: String
    package var status: String
    package var statusReason: String
    package var sizeBytes: UInt64
    package var target: String
    package var urls: [String]
    package var durability: String
    package var compressionLevel: Int
    package var commitIntervalSeconds: UInt32
    package var sourceSnapshot: String?
    package var created: String
    package var generation: UInt32
    package var commitNumber: UInt64
    /// nil until the first commit.
    package var recoveryPoint: String?
    package var dirtyBytes: UInt64
    package var oldestDirtySeconds: Double
    package var uploadBufferBytes: UInt64
    package var uploadBufferUsedBytes: UInt64

    package init(_ volume: VolumeDescription, portals: [ListenAddress]) {
        id = volume.id.description
        name = volume.name
        status = volume.status.word
        statusReason = volume.statusReason
        sizeBytes = volume.byteCount
        target = volume.targetName
        urls = portals.map { "iscsi://\($0.reachable)/\(volume.targetName)/0" }
        durability = volume.durability.word
        compressionLevel = Int(volume.compression.rawValue)
        commitIntervalSeconds = volume.commitIntervalSeconds
        sourceSnapshot = volume.sourceSnapshot?.description
        created = Timestamp(milliseconds: volume.createdMilliseconds).iso8601
        generation = volume.generation
        commitNumber = volume.commitNumber
        recoveryPoint =
            volume.recoveryPointMilliseconds == 0
            ? nil : Timestamp(milliseconds: volume.recoveryPointMilliseconds).iso8601
        dirtyBytes = volume.dirtyByteCount
        oldestDirtySeconds = volume.oldestDirtySeconds
        uploadBufferBytes = volume.uploadBufferByteCount
        uploadBufferUsedBytes = volume.uploadBufferUsedByteCount
    }
}

extension VolumeStatus {
    package var word: String {
        switch self {
        case .creating: "creating"
        case .opening: "opening"
        case .available: "available"
        case .uploadStalled: "upload-stalled"
        case .fenced: "fenced"
        case .failed: "failed"
        case .deleting: "deleting"
        }
    }
}

extension Durability {
    package var word: String {
        switch self {
        case .onFlush: "on-flush"
        case .always: "always"
        }
    }

    package init?(word: String) {
        guard let match = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = match
    }
}

extension ListenAddress {
    /// What to connect to on this machine: "every address" is none.
    package var reachable: String {
        switch host {
        case "0.0.0.0": "127.0.0.1:\(port)"
        case "::": "[::1]:\(port)"
        default: configurationText
        }
    }
}
