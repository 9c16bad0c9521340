// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
package import Wire

/// The promised snapshots of one slot on disk: `<snapshots>/<snapshot id>.json`, from the promise until the bucket has
/// the snapshot's record. Only a path, so any thread may use it; every call blocks.
package struct PendingSnapshotFiles: Sendable {
    package let path: String
    package init(path: String) { self.path = path }

    package struct Contents: Sendable {
        package var snapshots: [PendingSnapshot] = []
        /// Files that cannot be read, and why.
        package var unusable: [(name: String, reason: String)] = []
    }

    package func contents() throws(SystemError) -> Contents {
        var contents = Contents()
        for name in try Platform.FileSystem.list(path) where name.hasSuffix(".json") {
            do {
                let bytes = try Platform.FileSystem.readFile(
                    "\(path)/\(name)", limit: PendingSnapshotFormat.byteLimit)
                contents.snapshots.append(try PendingSnapshotFormat.decode(bytes))
            } catch {
                contents.unusable.append((name, "\(error)"))
            }
        }
        return contents
    }

    /// Atomic and durable.
    package func save(_ snapshot: PendingSnapshot) throws(SystemError) {
        let bytes: [UInt8]
        do throws(EngineError) {
            bytes = try PendingSnapshotFormat.encode(snapshot)
        } catch {
            throw SystemError(errorNumber: EFBIG, call: "encode", path: file(snapshot.id))
        }
        try Platform.FileSystem.replaceFile(file(snapshot.id), with: bytes)
    }

    package func remove(_ snapshot: SnapshotID) throws(SystemError) {
        if try Platform.FileSystem.remove(file(snapshot)) { try Platform.FileSystem.syncDirectory(path) }
    }

    private func file(_ snapshot: SnapshotID) -> String { "\(path)/\(snapshot).json" }
}
