// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
package import Wire

/// The standbys of one slot on disk: `<standbys>/<volume id>.json`, from the wish until the volume was taken over or
/// nobody wants it any more. Only a path, so any thread may use it; every call blocks.
package struct StandbyFiles: Sendable {
    package let path: String
    package init(path: String) { self.path = path }

    package struct Contents: Sendable {
        package var standbys: [Standby] = []
        /// Files that cannot be read, and why.
        package var unusable: [(name: String, reason: String)] = []
    }

    package func contents() throws(SystemError) -> Contents {
        var contents = Contents()
        for name in try Platform.FileSystem.list(path) where name.hasSuffix(".json") {
            do {
                let bytes = try Platform.FileSystem.readFile("\(path)/\(name)", limit: StandbyFormat.byteLimit)
                contents.standbys.append(try StandbyFormat.decode(bytes))
            } catch {
                contents.unusable.append((name, "\(error)"))
            }
        }
        return contents
    }

    /// Atomic and durable.
    package func save(_ standby: Standby) throws(SystemError) {
        let bytes: [UInt8]
        do throws(EngineError) {
            bytes = try StandbyFormat.encode(standby)
        } catch {
            throw SystemError(errorNumber: EFBIG, call: "encode", path: file(standby.volume))
        }
        try Platform.FileSystem.replaceFile(file(standby.volume), with: bytes)
    }

    package func remove(_ volume: VolumeID) throws(SystemError) {
        if try Platform.FileSystem.remove(file(volume)) { try Platform.FileSystem.syncDirectory(path) }
    }

    private func file(_ volume: VolumeID) -> String { "\(path)/\(volume).json" }
}
