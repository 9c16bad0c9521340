// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Platform

/// What services and commands need outside the data plane, where nothing has to be durable.
extension FileSystem {
    /// Replaces a file in one step, so that no reader sees half of it. Not durable: for pid files and the like.
    package static func replace(_ path: String, with text: String) throws(SystemError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .last("open", path: temporary) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                let error = SystemError.last("write", path: temporary)
                close(descriptor)
                unsafe unlink(temporary)
                throw error
            }
            bytes = bytes.dropFirst(written)
        }
        close(descriptor)
        guard unsafe Glibc.rename(temporary, path) == 0 else {
            let error = SystemError.last("rename", path: path)
            unsafe unlink(temporary)
            throw error
        }
    }

    package static func realPath(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// nil if files can be made in the directory, else why not and what to do, for people.
    package static func whyNotUsable(directory path: String) -> String? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            return errno == ENOENT
                ? "\(path) does not exist; create it (mkdir -p \(path)) or correct the key"
                : "\(path) cannot be used: \(SystemError.last("stat").reason)"
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "\(path) is not a directory" }
        guard unsafe access(path, R_OK | W_OK | X_OK) == 0 else {
            return "\(path) cannot be written by this user (uid \(geteuid())): \(SystemError.last("access").reason)"
        }
        return nil
    }
}
