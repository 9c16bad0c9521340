// SPDX-License-Identifier: Apache-2.0
import Glibc

// Names and addresses, by the system's resolver. `resolve` may block for as long as its name servers are silent: not
// for event loops.
extension SocketAddress {
    package enum ResolutionFailure: Error, Equatable, Sendable {
        /// There is no such name now.
        case unknownName(reason: String)
        /// Nobody could be asked: this says nothing of the name.
        case temporary(reason: String)
    }

    /// All addresses that the name stands for, each once.
    package static func resolve(
        host: String, port: UInt16
    ) throws(ResolutionFailure) -> [SocketAddress] {
        var list: UnsafeMutablePointer<addrinfo>?
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV
        let result = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            let reason = unsafe String(cString: gai_strerror(result))
            // EAI_NODATA (-5) is hidden in Glibc's module: a name without an address.
            if result == EAI_NONAME || result == -5 { throw .unknownName(reason: reason) }
            throw .temporary(reason: reason)
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe SocketAddress(entry.pointee.ai_addr, entry.pointee.ai_addrlen),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            unsafe next = entry.pointee.ai_next
        }
        return addresses
    }

    /// Is the host an address in numbers, as this type promises?
    package var isNumeric: Bool { unsafe withSystemAddress { _, _, _ in true } ?? false }

    /// Does this machine, or this container, have the address? Asked by binding a socket that nobody can reach.
    package var isOfThisMachine: Bool {
        let isBound = unsafe SocketAddress(host: host, port: 0).withSystemAddress { family, address, length in
            let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue), 0)
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            return unsafe bind(descriptor, address, length) == 0
        }
        return isBound ?? false
    }

    private func withSystemAddress<Result>(
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result? {
        var list: UnsafeMutablePointer<addrinfo>?
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0, let first = unsafe list else { return nil }
        defer { unsafe freeaddrinfo(list) }
        return unsafe body(first.pointee.ai_family, first.pointee.ai_addr, first.pointee.ai_addrlen)
    }
}
