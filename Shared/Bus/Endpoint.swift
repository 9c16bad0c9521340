// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where a service is spoken to: `ipc://` and the absolute path of a Unix socket.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// sockaddr_un.sun_path is 108 bytes with its final zero.
    package static let pathByteLimit = 107
    private static let scheme = "ipc://"

    package let path: String

    package init(path: String) throws(BusError) {
        guard path.hasPrefix("/"), path.utf8.count > 1, !path.utf8.contains(0) else {
            throw .malformedEndpoint(Self.scheme + path)
        }
        guard path.utf8.count <= Self.pathByteLimit else { throw .pathTooLong(path, limit: Self.pathByteLimit) }
        self.path = path
    }

    package init(text: String) throws(BusError) {
        guard text.hasPrefix(Self.scheme) else { throw .malformedEndpoint(text) }
        try self.init(path: String(text.dropFirst(Self.scheme.count)))
    }

    package var description: String { Self.scheme + path }

    /// Does a process listen here now? A path that a killed process left behind does not count.
    package func isServed() -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { _ = close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            // `init` has checked that the path fits; the rest of the field is zero.
            unsafe target.copyBytes(from: path.utf8)
        }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0
    }
}
