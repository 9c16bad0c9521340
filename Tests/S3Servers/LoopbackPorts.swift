// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Free ports for servers that cannot be told to take any port. They lie below the range that the kernel gives to
/// clients, so that no connection of ours takes one between this look and the server's start. Somebody else still may:
/// whoever starts a server tries again with other ports.
enum LoopbackPorts {
    /// SeaweedFS listens on each port and on the port 10000 above it.
    static let gap: UInt16 = 10_000

    /// - Returns: distinct ports; each is free, and so is the one `gap` above it.
    static func free(_ count: Int) throws(S3ServerError) -> [UInt16] {
        var ports: Set<UInt16> = []
        for _ in 0..<1000 where ports.count < count {
            let port = UInt16.random(in: 11_000..<22_000)
            if isFree(port), isFree(port + gap) { ports.insert(port) }
        }
        guard ports.count == count else { throw .noFreePorts }
        return Array(ports)
    }

    private static func isFree(_ port: UInt16) -> Bool {
        // On every address, since some servers look at all.
        unsafe withSocket(INADDR_ANY, port) { unsafe bind($0, $1, $2) == 0 }
    }

    static func isListening(_ port: UInt16, at address: String = "127.0.0.1") -> Bool {
        unsafe withSocket(inet_addr(address), port) { unsafe connect($0, $1, $2) == 0 }
    }

    private static func withSocket(
        _ host: in_addr_t, _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
