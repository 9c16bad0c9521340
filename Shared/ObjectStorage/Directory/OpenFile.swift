// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// An open file of a directory bucket; closed when it goes out of scope. Every call blocks.
struct OpenFile: ~Copyable {
    private let descriptor: Int32
    private let path: String

    /// Opens `path` relative to the directory `folder`.
    init(
        _ path: String, in folder: Int32, flags: Int32, mode: mode_t = 0o666
    ) throws(SystemError) {
        self.path = path
        while true {
            let opened = unsafe openat(folder, path, flags | O_CLOEXEC, mode)
            if opened >= 0 {
                descriptor = opened
                return
            }
            if errno != EINTR { throw .last("open", path: path) }
        }
    }

    deinit { close(descriptor) }

    /// The descriptor, for calls made while this value is alive.
    var number: Int32 { descriptor }

    func status() throws(SystemError) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last("stat", path: path) }
        return status
    }

    /// The bytes from `byteOffset`: fewer than `byteCount` only where the file ends.
    func read(byteOffset: UInt64, byteCount: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            while initialized < byteCount {
                let result = unsafe pread(
                    descriptor, buffer.baseAddress?.advanced(by: initialized), byteCount - initialized,
                    off_t(byteOffset) + off_t(initialized))
                if result == 0 { return }
                if result > 0 {
                    initialized += result
                } else if errno != EINTR {
                    failure = .last("read", path: path)
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    func write(_ bytes: [UInt8]) throws(SystemError) {
        var failure: SystemError?
        unsafe bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let result = unsafe Glibc.write(
                    descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
                if result > 0 {
                    written += result
                } else if result == 0 || errno != EINTR {
                    failure = .last("write", path: path)
                    return
                }
            }
        }
        if let failure { throw failure }
    }

    /// Makes contents and size durable. An error is final: the kernel may have dropped what it could not write.
    func sync() throws(SystemError) {
        guard fsync(descriptor) == 0 else { throw .last("fsync", path: path) }
    }
}
