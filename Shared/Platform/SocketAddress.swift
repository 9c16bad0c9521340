// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One end of a TCP connection, in numbers.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Without brackets; an IPv4 address that came in over an IPv6 socket in its IPv4 form.
    package var host: String
    package var port: UInt16
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package var isIPv6: Bool { host.utf8.contains(UInt8(ascii: ":")) }
    package var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }
    /// Stands for every address of the machine.
    package var isWildcard: Bool { host == "0.0.0.0" || host == "::" }
    package var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    package static func local(of descriptor: Int32) -> SocketAddress? {
        unsafe read { unsafe getsockname(descriptor, $0, $1) }
    }

    package static func peer(of descriptor: Int32) -> SocketAddress? {
        unsafe read { unsafe getpeername(descriptor, $0, $1) }
    }

    private static func read(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            // sockaddr_storage has the size and alignment of every address family.
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe call(address, &length) == 0 else { return nil }
                return unsafe SocketAddress(address, length)
            }
        }
    }

    init?(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let flags = NI_NUMERICHOST | NI_NUMERICSERV
        guard
            unsafe getnameinfo(
                address, length, &host, socklen_t(host.count), &service, socklen_t(service.count), flags) == 0,
            let port = UInt16(Self.text(service))
        else { return nil }
        let name = Self.text(host)
        self.init(host: name.hasPrefix("::ffff:") ? String(name.dropFirst(7)) : name, port: port)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
