// SPDX-License-Identifier: Apache-2.0
import Glibc

extension FileSystem {
    /// Reads a whole small file, also one of /proc, which has no size.
    package static func read(_ path: String, atMost limit: Int) throws(SystemError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open", path: path) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw .last("read", path: path) }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else { throw SystemError(errorNumber: EFBIG, call: "read", path: path) }
        return Array(bytes[..<count])
    }
}

extension SystemError {
    /// The kernel's words alone, for messages that name the path themselves.
    package var reason: String { unsafe String(cString: strerror(errorNumber)) }
}
