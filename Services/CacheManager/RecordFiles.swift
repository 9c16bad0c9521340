// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
import ServiceKit
package import Wire

/// A record that has a file of its own in the state directory.
package protocol FiledRecord: Sendable {
    associatedtype FileID: CustomStringConvertible & Sendable
    /// What the file is called after.
    var fileID: FileID { get }
    static var fileByteLimit: Int { get }
    init(file bytes: [UInt8]) throws(EngineError)
    func fileBytes() throws(EngineError) -> [UInt8]
}

/// Records of one kind on disk: `<folder of a slot>/<id>.json`. Only paths, so any thread may use it; every call
/// blocks.
package struct RecordFiles<Record: FiledRecord>: Sendable {
    private let folders: SlotFolders
    private let home: @Sendable (Record) -> String?

    /// - Parameter home: the folder for a new record; nil: the own one.
    package init(_ folders: SlotFolders, home: @escaping @Sendable (Record) -> String? = { _ in nil }) {
        self.folders = folders
        self.home = home
    }

    package struct Contents: Sendable {
        package var records: [Record] = []
        package var unusable: [Unusable] = []
    }

    /// A file that cannot be read, why, and what of it could be.
    package struct Unusable: Sendable {
        package var name: String
        package var reason: String
        package var bytes: [UInt8]
    }

    /// Of one slot.
    package func contents(of path: String) throws(SystemError) -> Contents {
        var contents = Contents()
        for name in try Platform.FileSystem.list(path) where name.hasSuffix(".json") {
            var bytes: [UInt8] = []
            do {
                bytes = try Platform.FileSystem.readFile("\(path)/\(name)", limit: Record.fileByteLimit)
                contents.records.append(try Record(file: bytes))
            } catch {
                contents.unusable.append(Unusable(name: name, reason: "\(error)", bytes: bytes))
            }
        }
        return contents
    }

    /// Atomic and durable.
    package func save(_ record: Record) throws(SystemError) {
        let bytes: [UInt8]
        do throws(EngineError) {
            bytes = try record.fileBytes()
        } catch {
            throw SystemError(errorNumber: EFBIG, call: "encode", path: file(record.fileID))
        }
        let file = file(record.fileID)
        guard let home = home(record), !Platform.FileSystem.exists(file) else {
            return try Platform.FileSystem.replaceFile(file, with: bytes)
        }
        try Platform.FileSystem.replaceFile("\(home)/\(Self.name(record.fileID))", with: bytes)
    }

    package func remove(_ id: Record.FileID) throws(SystemError) {
        let folder = folders.folder(of: Self.name(id))
        if try Platform.FileSystem.remove("\(folder)/\(Self.name(id))") {
            try Platform.FileSystem.syncDirectory(folder)
        }
    }

    private func file(_ id: Record.FileID) -> String { "\(folders.folder(of: Self.name(id)))/\(Self.name(id))" }
    private static func name(_ id: Record.FileID) -> String { "\(id).json" }
}

/// Snapshots from the promise until the bucket has their records.
package typealias PendingSnapshotFiles = RecordFiles<PendingSnapshot>

/// What an earlier run has promised.
package struct Promises: Sendable {
    package var snapshots: [PendingSnapshot] = []
    /// Volumes with a promise that cannot be read, and what to do about it. Their journals must not be recovered: that
    /// would be without its cut, and the snapshot would be lost for good.
    package var problems: [VolumeID: String] = [:]
}

extension RecordFiles where Record == PendingSnapshot {
    /// Those of one slot.
    /// - Parameter volumes: its volumes. Where a promise cannot be read and is of none of them, nothing of it is used.
    package func promises(in path: String, of volumes: some Sequence<VolumeID>) throws -> Promises {
        let (contents, volumes) = (try contents(of: path), Set(volumes))
        var promises = Promises(snapshots: contents.records)
        for file in contents.unusable {
            let problem =
                "the promised snapshot \(path)/\(file.name) cannot be read (\(file.reason)); restore the file, or "
                + "use a newer version of Sluice if one has written it, and start again. "
                + "To give this snapshot up, move the file away"
            guard let volume = PendingSnapshotFormat.volume(ofUnusable: file.bytes), volumes.contains(volume) else {
                throw ServiceFailure(.badData, problem)
            }
            promises.problems[volume] = problem
        }
        return promises
    }
}

extension PendingSnapshot: FiledRecord {
    package var fileID: SnapshotID { id }
    package static var fileByteLimit: Int { PendingSnapshotFormat.byteLimit }
    package init(file bytes: [UInt8]) throws(EngineError) { self = try PendingSnapshotFormat.decode(bytes) }
    package func fileBytes() throws(EngineError) -> [UInt8] { try PendingSnapshotFormat.encode(self) }
}

/// Standbys from the wish until the volume was taken over or nobody wants it any more.
package typealias StandbyFiles = RecordFiles<Standby>

extension Standby: FiledRecord {
    package var fileID: VolumeID { volume }
    package static var fileByteLimit: Int { StandbyFormat.byteLimit }
    package init(file bytes: [UInt8]) throws(EngineError) { self = try StandbyFormat.decode(bytes) }
    package func fileBytes() throws(EngineError) -> [UInt8] { try StandbyFormat.encode(self) }
}
