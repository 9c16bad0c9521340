// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc

/// Directory work whose order matters for durability. Everything here may block: not for event loops.
package enum FileSystem {
    /// Makes the directory and its missing parents; an existing one is left as it is.
    package static func createDirectory(_ path: String, permissions: UInt32 = 0o700) throws(SystemError) {
        if unsafe mkdir(path, permissions) == 0 || isDirectory(path) { return }
        guard errno == ENOENT, let parent = parentDirectory(of: path), parent != path else {
            throw .last("mkdir", path: path)
        }
        try createDirectory(parent, permissions: permissions)
        guard unsafe mkdir(path, permissions) == 0 || isDirectory(path) else { throw .last("mkdir", path: path) }
    }

    /// Keeps errno as it was, for the caller's error.
    private static func isDirectory(_ path: String) -> Bool {
        let saved = errno
        defer { errno = saved }
        var information = stat()
        return unsafe stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// The names in a directory, sorted, without `.` and `..`.
    package static func list(_ path: String) throws(SystemError) -> [String] {
        guard let directory = unsafe opendir(path) else { throw .last("opendir", path: path) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(directory) else { break }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw .last("readdir", path: path) }
        return names.sorted()
    }

    /// Replaces the target in one step. Durable after `syncDirectory` of the target's directory.
    package static func rename(_ path: String, to target: String) throws(SystemError) {
        guard unsafe Glibc.rename(path, target) == 0 else { throw .last("rename", path: path) }
    }

    /// - Returns: false if there was no such file.
    @discardableResult
    package static func remove(_ path: String) throws(SystemError) -> Bool {
        if unsafe unlink(path) == 0 { return true }
        guard errno == ENOENT else { throw .last("unlink", path: path) }
        return false
    }

    /// Makes the names in a directory durable: creations, renames and removals before this call.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let descriptor = retryingInterrupts { unsafe Int(sluice_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)) }
        guard descriptor >= 0 else { throw .last("open", path: path) }
        defer { _ = close(Int32(descriptor)) }
        guard retryingInterrupts({ Int(fsync(Int32(descriptor))) }) == 0 else { throw .last("fsync", path: path) }
    }

    /// After this returns the file holds exactly these bytes, durably; after a crash it holds these or the old ones.
    package static func replaceFile(
        _ path: String, with bytes: [UInt8], permissions: UInt32 = 0o600
    ) throws(SystemError) {
        let temporary = path + ".new"
        // What a crash left behind is of no use: it was never renamed.
        try remove(temporary)
        do {
            let file = try BlockFile(
                path: temporary, access: .readWrite, creation: .exclusive, permissions: permissions)
            try file.writeAll(bytes)
            try file.syncData()
            try rename(temporary, to: path)
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        try syncDirectory(parentDirectory(of: path) ?? ".")
    }

    /// A whole small file, also a pipe or one of /proc, which have no size; EFBIG if it is longer than `limit`.
    package static func readFile(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open", path: path) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let got = unsafe bytes[count...].withUnsafeMutableBytes { rest in
                retryingInterrupts { unsafe Glibc.read(descriptor, rest.baseAddress, rest.count) }
            }
            guard got >= 0 else { throw .last("read", path: path) }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else { throw SystemError(errorNumber: EFBIG, call: "read", path: path) }
        return Array(bytes[..<count])
    }

    /// "/a/b" for "/a/b/c", "/" for "/a", nil for a path without a slash.
    package static func parentDirectory(of path: String) -> String? {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? path.dropLast() : path[...]
        guard let slash = trimmed.lastIndex(of: "/") else { return nil }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }
}

extension BlockFile {
    fileprivate func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        let buffer = IOBuffer(bytes)
        try unsafe write(UnsafeRawBufferPointer(buffer.bytes), at: 0)
    }
}
