// SPDX-License-Identifier: Apache-2.0
import Glibc
package import ObjectStorage

/// A directory that is a bucket for one test and goes away with it.
package final class TemporaryBucket: Sendable {
    package let path: String
    package let prefix: String

    package init(prefix: String = "") throws {
        self.prefix = prefix
        var template = Array("/tmp/sluice-bucket-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw TemporaryBucketError.cannotBeMade(errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.removeTree(path) }

    package func openStore(
        _ access: BucketAccess = .readWrite, lockTimeout: Duration = .seconds(5), leftoverAgeSeconds: Int = 3600
    ) throws(ObjectStoreError) -> DirectoryObjectStore {
        try DirectoryObjectStore(
            directory: path, prefix: prefix, access: access, readThreadCount: 2, writeThreadCount: 4,
            lockTimeout: lockTimeout, leftoverAgeSeconds: leftoverAgeSeconds)
    }

    package func file(_ name: String) -> String { path + "/" + name }

    package func exists(_ name: String) -> Bool {
        var status = stat()
        return unsafe lstat(file(name), &status) == 0
    }

    /// A file made by somebody else.
    package func plant(_ name: String, _ bytes: [UInt8] = [1]) throws {
        let descriptor = unsafe Glibc.open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw TemporaryBucketError.cannotBeMade(errno) }
        defer { close(descriptor) }
        guard unsafe write(descriptor, bytes, bytes.count) == bytes.count else {
            throw TemporaryBucketError.cannotBeMade(errno)
        }
    }

    package func plantFolder(_ name: String) throws {
        guard unsafe mkdir(file(name), 0o755) == 0 else { throw TemporaryBucketError.cannotBeMade(errno) }
    }

    /// Names in the reserved directory that end in `.tmp`.
    package func stagedFiles() -> [String] { Self.names(in: file(".sluice-tmp")).filter { $0.hasSuffix(".tmp") } }

    package static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    package static func removeTree(_ path: String) {
        unsafe _ = chmod(path, 0o755)
        for name in names(in: path) {
            if unsafe unlink(path + "/" + name) != 0 { removeTree(path + "/" + name) }
        }
        unsafe _ = rmdir(path)
    }
}

package enum TemporaryBucketError: Error { case cannotBeMade(Int32) }
