// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Messages
package import Platform

/// Where a service is spoken to: a Unix socket (`ipc://` and its absolute path), or an address of a network
/// (`tcp://host:port`), which is always encrypted and authenticated, so it says whose key answers there.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package enum Place: Hashable, Sendable {
        case socket(path: String)
        case network(SocketAddress, ServiceKind)
    }

    /// sockaddr_un.sun_path is 108 bytes with its final zero.
    package static let pathByteLimit = 107
    private static let scheme = "ipc://"

    package let place: Place

    package init(path: String) throws(BusError) {
        guard path.hasPrefix("/"), path.utf8.count > 1, !path.utf8.contains(0) else {
            throw .malformedEndpoint(Self.scheme + path)
        }
        guard path.utf8.count <= Self.pathByteLimit else { throw .pathTooLong(path, limit: Self.pathByteLimit) }
        place = .socket(path: path)
    }

    /// In numbers: ZeroMQ would look a name up on its only I/O thread, and once.
    /// - Parameter kind: of the service that listens there.
    package init(address: SocketAddress, of kind: ServiceKind) throws(BusError) {
        guard address.port != 0, address.isNumeric else { throw .malformedEndpoint("tcp://\(address)") }
        place = .network(address, kind)
    }

    /// A Unix socket's only.
    package init(text: String) throws(BusError) {
        guard text.hasPrefix(Self.scheme) else { throw .malformedEndpoint(text) }
        try self.init(path: String(text.dropFirst(Self.scheme.count)))
    }

    package var description: String {
        switch place {
        case .socket(let path): Self.scheme + path
        case .network(let address, _): "tcp://\(address)"
        }
    }

    /// The socket file; nil for a network's.
    package var path: String? { if case .socket(let path) = place { path } else { nil } }
    package var isNetwork: Bool { path == nil }

    /// Does a process listen at this Unix socket now? A path that a killed process left behind does not count. Whether
    /// one listens at a network's address, binding tells.
    package func isServed() -> Bool {
        guard let path else { return false }
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
