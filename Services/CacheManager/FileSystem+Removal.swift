// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

extension Platform.FileSystem {
    /// Makes the directory if it is missing, and its name durable. Blocks.
    static func makeDurableDirectory(_ path: String) throws(SystemError) {
        guard !exists(path) else { return }
        try createDirectory(path, permissions: 0o755)
        try syncDirectory(parentDirectory(of: path) ?? ".")
    }

    /// Removes an empty directory; one that is gone already is fine. Blocks.
    static func removeDirectory(_ path: String) throws(SystemError) {
        guard unsafe rmdir(path) != 0, errno != ENOENT else { return }
        throw .last("rmdir", path: path)
    }
}
