// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Platform

/// What the file system of a directory has left for this process.
package struct FileSystemSpace: Equatable, Sendable {
    package var freeByteCount: UInt64
    /// Inodes; `max` where the file system does not count them.
    package var freeFileCount: UInt64
    package var isReadOnly: Bool
    /// The same for all directories of one file system.
    package var device: UInt64

    package init(freeByteCount: UInt64, freeFileCount: UInt64 = .max, isReadOnly: Bool = false, device: UInt64 = 1) {
        self.freeByteCount = freeByteCount
        self.freeFileCount = freeFileCount
        self.isReadOnly = isReadOnly
        self.device = device
    }
}

extension FileSystem {
    /// nil if there is no such directory.
    package static func space(of path: String) -> FileSystemSpace? {
        var numbers = statvfs()
        var status = stat()
        guard unsafe statvfs(path, &numbers) == 0, unsafe stat(path, &status) == 0 else { return nil }
        return FileSystemSpace(
            freeByteCount: UInt64(numbers.f_bavail) * UInt64(numbers.f_frsize),
            freeFileCount: numbers.f_files == 0 ? .max : UInt64(numbers.f_favail),
            isReadOnly: numbers.f_flag & UInt(ST_RDONLY) != 0, device: UInt64(status.st_dev))
    }
}
