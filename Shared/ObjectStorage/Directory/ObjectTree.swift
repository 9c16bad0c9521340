// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import Synchronization

/// The directory that is a bucket, and the steps that change it. Every call blocks; errors are the system's own.
///
/// ```
/// <directory>/<prefix>/<key>            one file per object, its bytes and nothing else; never written in place
/// <directory>/.sluice-tmp/<name>.tmp    an object on its way in; a crash leaves it, `removeLeftovers` takes it away
/// <directory>/.sluice-tmp/lock-<nn>     locked (flock) while a write that depends on the old object is decided
/// ```
///
/// The directory is held open: if the disk below it is unmounted and another appears, this goes on failing instead of
/// writing to the wrong one.
final class ObjectTree: Sendable {
    /// The bucket's path, for messages.
    let location: String
    private let root: Int32
    private let run: UInt64
    private let temporaryCount = Atomic<UInt64>(0)
    /// Folders whose names are known to be durable. Bounded by the folders that the bucket has.
    private let durableFolders = Mutex<Set<String>>([])

    init(_ location: String) throws(SystemError) {
        self.location = location
        run = Randomness.uint64()
        root = unsafe Glibc.open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if root < 0 { throw .last("open", path: location) }
    }

    deinit { if root >= 0 { close(root) } }

    // MARK: Reading

    func open(_ path: String) throws(SystemError) -> OpenFile {
        try OpenFile(path, in: root, flags: O_RDONLY | O_NOFOLLOW)
    }

    func isFolder(_ path: String) -> Bool {
        var status = stat()
        guard unsafe fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names in a folder (`""`: the bucket), folders with a `/` at the end, in no order. A missing folder is empty.
    func names(in folder: String) throws(SystemError) -> [String] {
        let opened = unsafe openat(root, folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if opened < 0 {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw .last("open", path: folder)
        }
        guard let stream = unsafe fdopendir(opened) else {
            let error = SystemError.last("opendir", path: folder)
            close(opened)
            throw error
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." { continue }
            let type = unsafe Int(entry.pointee.d_type)
            // DT_UNKNOWN (0): this file system does not say.
            let path = folder.isEmpty ? name : folder + "/" + name
            let isDirectory = type == Int(DT_DIR) || (type == Int(DT_UNKNOWN) && isFolder(path))
            names.append(isDirectory ? name + "/" : name)
        }
        if errno != 0 { throw .last("readdir", path: folder) }
        return names
    }

    // MARK: Writing

    /// Makes the folder for temporary and lock files.
    func prepareForWriting() throws(SystemError) {
        guard unsafe mkdirat(root, ObjectKeyRules.reservedName, 0o777) == 0 || errno == EEXIST else {
            throw .last("mkdir", path: location + "/" + ObjectKeyRules.reservedName)
        }
        guard unsafe faccessat(root, ObjectKeyRules.reservedName, W_OK | X_OK, 0) == 0 else {
            throw .last("access", path: location + "/" + ObjectKeyRules.reservedName)
        }
        guard unsafe faccessat(root, ".", W_OK | X_OK, 0) == 0 else { throw .last("access", path: location) }
    }

    /// Writes the bytes to a new temporary file and makes them durable; returns its path.
    func stage(_ bytes: [UInt8]) throws(SystemError) -> String {
        let number = temporaryCount.wrappingAdd(1, ordering: .relaxed).newValue
        let path = "\(ObjectKeyRules.reservedName)/\(String(run, radix: 16))-\(getpid())-\(number).tmp"
        let file = try OpenFile(path, in: root, flags: O_WRONLY | O_CREAT | O_EXCL)
        do {
            try file.write(bytes)
            try file.sync()
        } catch {
            discard(path)
            throw error
        }
        return path
    }

    func discard(_ path: String) { unsafe _ = unlinkat(root, path, 0) }

    /// Gives the staged file the object's name if nothing has it: link(2) decides. Not durable before `syncFolder`.
    func link(_ staged: String, as path: String) throws(SystemError) {
        guard unsafe linkat(root, staged, root, path, 0) == 0 else { throw .last("link", path: path) }
        discard(staged)
    }

    /// Gives the staged file the object's name, whatever had it. Not durable before `syncFolder`.
    func rename(_ staged: String, to path: String) throws(SystemError) {
        guard unsafe renameat(root, staged, root, path) == 0 else { throw .last("rename", path: path) }
    }

    func remove(_ path: String) throws(SystemError) {
        guard unsafe unlinkat(root, path, 0) == 0 else { throw .last("unlink", path: path) }
    }

    /// Makes the names in the folder that holds `path` durable.
    func syncFolder(of path: String) throws(SystemError) {
        try sync(folder: Self.folder(of: path))
    }

    /// Makes the folders above `path` and their names durable, creating what is missing. A folder found there may
    /// have been made a moment ago by another process that has not synced it yet, so it is synced all the same the
    /// first time this process meets it.
    func makeFolders(above path: String) throws(SystemError) {
        var made = ""
        for component in path.split(separator: "/").dropLast() {
            let parent = made
            made += (made.isEmpty ? "" : "/") + component
            let folder = made
            if durableFolders.withLock({ $0.contains(folder) }) { continue }
            guard unsafe mkdirat(root, folder, 0o777) == 0 || errno == EEXIST else {
                throw .last("mkdir", path: folder)
            }
            try sync(folder: parent)
            durableFolders.withLock { _ = $0.insert(folder) }
        }
    }

    /// After a folder was found missing that was known before: somebody removed it.
    func forgetFolders() { durableFolders.withLock { $0.removeAll() } }

    /// Takes away temporary files that no write can still be using: a write takes seconds.
    func removeLeftovers(olderThanSeconds age: Int) throws(SystemError) -> Int {
        let now = time(nil)
        var removed = 0
        for name in try names(in: ObjectKeyRules.reservedName) where name.hasSuffix(".tmp") {
            let path = ObjectKeyRules.reservedName + "/" + name
            var status = stat()
            guard unsafe fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) == 0,
                now - status.st_mtim.tv_sec > age
            else { continue }
            if unsafe unlinkat(root, path, 0) == 0 { removed += 1 }
        }
        return removed
    }

    /// The file whose lock decides who may replace the objects of this stripe.
    func openLock(stripe: Int) throws(SystemError) -> OpenFile {
        try OpenFile(
            "\(ObjectKeyRules.reservedName)/lock-\(String(stripe, radix: 16))", in: root, flags: O_RDWR | O_CREAT)
    }

    private func sync(folder: String) throws(SystemError) {
        let opened = try OpenFile(folder.isEmpty ? "." : folder, in: root, flags: O_RDONLY | O_DIRECTORY)
        try opened.sync()
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }
}
