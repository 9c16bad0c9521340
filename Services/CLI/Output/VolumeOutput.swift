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
    /// Logical blocks: 512 or 4096.
    package var blockSizeBytes: Int
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
    /// nil while the volume is not open.
    package var reads: Reads?
    package var warming: Warming?
    /// `exclusive` or `lease`; the others are of a lease.
    package var ownership: String
    package var leaseSeconds: Double?
    package var leaseHeld: Bool?
    /// At a standby: the gateway that owns the volume.
    package var owner: String?
    package var readOnly: Bool
    package var sanitizeAllowed: Bool
    /// Initiators may eject the medium.
    package var removable: Bool

    /// Where reads found their bytes since the volume was opened.
    package struct Reads: Encodable, Equatable, Sendable {
        package var operations: UInt64
        /// Nothing had to be fetched from the bucket for these.
        package var localOperations: UInt64
        package var journalBytes: UInt64
        package var memoryBytes: UInt64
        package var cacheBytes: UInt64
        package var bucketBytes: UInt64
        package var prefetchedBytes: UInt64
    }

    package struct Warming: Encodable, Equatable, Sendable {
        package var isRunning: Bool
        package var outcome: String
        package var rangeBytes: UInt64
        package var doneBytes: UInt64
        package var fetchedBytes: UInt64
        package var fetchedFrames: UInt64
        package var presentFrames: UInt64
        package var problem: String?
    }

    package init(_ volume: VolumeDescription, portals: [ListenAddress]) {
        id = volume.id.description
        name = volume.name
        status = volume.status.word
        statusReason = volume.statusReason
        sizeBytes = volume.byteCount
        blockSizeBytes = (volume.blockSize ?? .sector).byteCount
        target = volume.targetName
        urls = volume.status == .standby ? [] : portals.map { "iscsi://\($0.reachable)/\(volume.targetName)/0" }
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
        reads = volume.reads.map(Reads.init)
        warming = Warming(volume.reads?.warming)
        ownership = volume.lease == nil ? "exclusive" : "lease"
        leaseSeconds = volume.lease.map { Double($0.milliseconds) / 1000 }
        leaseHeld = volume.lease?.isHeld
        owner = volume.lease?.owner?.description
        readOnly = volume.access?.isReadOnly ?? false
        sanitizeAllowed = volume.access?.allowsSanitize ?? false
        removable = volume.isRemovable ?? false
    }
}

extension VolumeOutput.Reads {
    init(_ reads: VolumeReadFigures) {
        self.init(
            operations: reads.readCount, localOperations: reads.localReadCount, journalBytes: reads.journalByteCount,
            memoryBytes: reads.memoryByteCount, cacheBytes: reads.cacheByteCount, bucketBytes: reads.bucketByteCount,
            prefetchedBytes: reads.prefetchedByteCount)
    }

    var text: String {
        func size(_ byteCount: UInt64) -> String { ByteSize(byteCount: byteCount).description }
        return "\(operations), \(HumanText.percent(localOperations, of: operations)) without the bucket; "
            + "journal \(size(journalBytes)), memory \(size(memoryBytes)), cache \(size(cacheBytes)), "
            + "bucket \(size(bucketBytes))"
    }
}

extension VolumeOutput.Warming {
    init?(_ warming: VolumeReadFigures.Warming?) {
        guard let warming else { return nil }
        self.init(
            isRunning: warming.isRunning, outcome: warming.outcome, rangeBytes: warming.byteCount,
            doneBytes: warming.doneByteCount, fetchedBytes: warming.fetchedByteCount,
            fetchedFrames: warming.fetchedFrameCount, presentFrames: warming.presentFrameCount,
            problem: warming.problem)
    }

    var text: String {
        let delay = problem.map { ", waiting: \($0)" } ?? ""
        let state = isRunning ? "being warmed, \(HumanText.percent(doneBytes, of: rangeBytes))\(delay)" : outcome
        return "\(state); \(ByteSize(byteCount: fetchedBytes)) fetched in \(fetchedFrames) frames, "
            + "\(presentFrames) frames were there"
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
        case .standby: "standby"
        }
    }
}

extension VolumeLease {
    /// `lease 30s, held`.
    package var text: String {
        "lease \(Duration.milliseconds(Int64(clamping: milliseconds)).configurationText), "
            + (isHeld ? "held" : "lapsed")
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
