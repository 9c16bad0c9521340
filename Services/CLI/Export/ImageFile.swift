// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Platform
import Wire

/// Where an exported image goes: a file, sparse where the image is zero, or a stream of every byte.
package final class ImageFile {
    private let descriptor: Int32
    private let name: String
    /// A regular file: zeros are left out and the length is set at the end.
    private let isSparse: Bool
    private var position: UInt64 = 0
    private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

    /// - Parameter path: nil for standard output.
    package init(path: String?) throws(SystemError) {
        name = path ?? "standard output"
        if let path {
            descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw .last("open", path: path) }
        } else {
            descriptor = STDOUT_FILENO
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last("fstat", path: name) }
        // Standard output may be a file that is appended to, or be in the middle of one: only from 0 are holes right.
        isSparse =
            status.st_mode & S_IFMT == S_IFREG && lseek(descriptor, 0, SEEK_CUR) == 0
            && fcntl(descriptor, F_GETFL) & O_APPEND == 0
        // What an older file held must not show through the holes.
        if isSparse, ftruncate(descriptor, 0) != 0 { throw .last("ftruncate", path: name) }
    }

    package func writeZeros(byteCount: UInt64) throws(SystemError) {
        var left = byteCount
        while !isSparse && left > 0 {
            let part = min(left, UInt64(Self.zeros.count))
            try write(Self.zeros[..<Int(part)])
            left -= part
        }
        if isSparse { position += byteCount }
    }

    package func write(_ bytes: ArraySlice<UInt8>) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { bytes in
                isSparse
                    ? unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(position))
                    : unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw .last("write", path: name) }
            rest = rest.dropFirst(written)
            position += UInt64(written)
        }
    }

    /// Sets the length, which a hole at the end has not, and makes a file durable before success is reported.
    package func finish() throws(SystemError) {
        guard isSparse else { return }
        guard ftruncate(descriptor, off_t(position)) == 0 else { throw .last("ftruncate", path: name) }
        guard fsync(descriptor) == 0 else { throw .last("fsync", path: name) }
    }

    deinit { if descriptor != STDOUT_FILENO { close(descriptor) } }
}
