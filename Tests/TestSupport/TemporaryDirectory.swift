// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// A directory for one test, removed with all its files when the last reference goes.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        path = try unsafe template.withUnsafeMutableBufferPointer { buffer in
            guard let name = buffer.baseAddress, unsafe mkdtemp(name) != nil else { throw SystemError.last("mkdtemp") }
            return unsafe String(cString: name)
        }
    }

    /// Makes a file and returns its path.
    package func file(_ name: String, _ text: String) throws -> String {
        let file = path + "/" + name
        guard let stream = unsafe fopen(file, "w") else { throw SystemError.last("fopen", path: file) }
        let written = unsafe fputs(text, stream)
        guard unsafe fclose(stream) == 0, written >= 0 else { throw SystemError.last("write", path: file) }
        return file
    }

    /// Makes a directory and returns its path.
    package func directory(_ name: String, mode: UInt32 = 0o755) throws -> String {
        let directory = path + "/" + name
        guard unsafe mkdir(directory, mode) == 0 else { throw SystemError.last("mkdir", path: directory) }
        return directory
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if unsafe unlink(path) == 0 { return }
        if let directory = unsafe opendir(path) {
            var names: [String] = []
            while let entry = unsafe readdir(directory) {
                names.append(
                    unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                    })
            }
            unsafe closedir(directory)
            for name in names where name != "." && name != ".." { remove(path + "/" + name) }
        }
        unsafe rmdir(path)
    }
}
