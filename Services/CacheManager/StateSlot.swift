// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// One numbered slot of the state directory: the volumes, promised snapshots and standbys of one cache manager, and
/// what it has set of its read cache. Having the value means holding the slot's lock, which the kernel drops when the
/// process dies.
package final class StateSlot: Sendable {
    package let number: Int
    package let path: String
    private let lock: BlockFile

    package var volumesPath: String { path + "/volumes" }
    package var snapshotsPath: String { path + "/snapshots" }
    package var standbysPath: String { path + "/standbys" }
    package var cacheSettingsPath: String { path + "/cache.json" }
    /// Names that are being given to volumes here; see `StateDirectory.claim`.
    var claimsPath: String { path + "/claims" }

    /// nil if somebody else holds it.
    init?(_ number: Int, in state: String) throws(SystemError) {
        self.number = number
        path = Self.path(number, in: state)
        try Platform.FileSystem.makeDurableDirectory(path)
        lock = try BlockFile(path: path + "/lock", access: .readWrite, creation: .ifMissing)
        guard try lock.tryLock() else { return nil }
        for directory in [volumesPath, snapshotsPath, standbysPath, claimsPath] {
            try Platform.FileSystem.makeDurableDirectory(directory)
        }
        // Of a holder that died.
        for name in try Platform.FileSystem.list(claimsPath) { try Platform.FileSystem.remove("\(claimsPath)/\(name)") }
    }

    /// So that a process which is started again comes back to its volumes and its read cache.
    func note(holder: String) throws(SystemError) {
        try Platform.FileSystem.replaceFile(path + "/holder", with: Array(holder.utf8))
    }

    /// The read cache of a gateway's directories: one cache manager has them to itself, the next ones have a directory
    /// of their own in each.
    package func cacheDirectories(in directories: [String]) -> [String] {
        number == 0 ? directories : directories.map { "\($0)/slot-\(number)" }
    }

    /// Those of them that nobody else has; none of the first slot, which has the gateway's own.
    package func ownCacheDirectories(in directories: [String]) -> [String] {
        number == 0 ? [] : cacheDirectories(in: directories)
    }

    // MARK: Slots that are not held

    static func path(_ number: Int, in state: String) -> String { "\(state)/slots/\(number)" }

    /// By holding the lock for a moment; whoever starts just then looks twice.
    static func isFree(_ number: Int, in state: String) throws(SystemError) -> Bool {
        let file = path(number, in: state) + "/lock"
        guard Platform.FileSystem.exists(file) else { return true }
        return try BlockFile(path: file, access: .readWrite).tryLock()
    }

    static func lastHolder(_ number: Int, in state: String) -> String? {
        let bytes = try? Platform.FileSystem.readFile(path(number, in: state) + "/holder", limit: 4096)
        return bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Nothing in it would be missed.
    static func isEmpty(_ number: Int, in state: String) throws(SystemError) -> Bool {
        for folder in ["volumes", "snapshots", "standbys"] where try !names(of: folder, number, in: state).isEmpty {
            return false
        }
        return true
    }

    static func volumes(_ number: Int, in state: String) throws(SystemError) -> [VolumeID] {
        try names(of: "volumes", number, in: state).compactMap { VolumeID($0) }
    }

    static func names(of folder: String, _ number: Int, in state: String) throws(SystemError) -> [String] {
        let path = path(number, in: state) + "/" + folder
        return Platform.FileSystem.exists(path) ? try Platform.FileSystem.list(path) : []
    }
}

/// Where records of one kind lie: one folder in each slot that this cache manager holds.
package struct SlotFolders: Sendable {
    private let list: @Sendable () -> [String]

    /// - Parameter list: of the slots that are held now, the own one first.
    package init(_ list: @escaping @Sendable () -> [String]) { self.list = list }
    package init(_ path: String) { list = { [path] } }

    /// The folder that has `name`, or the own one, where what is new goes.
    package func folder(of name: String) -> String {
        let all = list()
        return all.first { Platform.FileSystem.exists("\($0)/\(name)") } ?? all[0]
    }
}
