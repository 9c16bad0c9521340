// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Holds a port on loopback while nobody listens on it, so that connections are refused and the port is still ours
/// when the outage is over. Linux lets a listener share the port with a socket that never listens, if both have
/// SO_REUSEADDR.
final class PortReservation: Sendable {
    let port: UInt16
    private let descriptor: Int32

    /// - Parameter wanted: 0 for any free port.
    init(port wanted: UInt16) throws(FaultProxyError) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .listen(port: wanted, errno: errno) }
        var yes: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = wanted.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let status = unsafe bind(descriptor, address, length)
                return unsafe status == 0 ? getsockname(descriptor, address, &length) : status
            }
        }
        guard status == 0 else {
            let reason = errno
            Glibc.close(descriptor)
            throw .listen(port: wanted, errno: reason)
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { Glibc.close(descriptor) }
}
