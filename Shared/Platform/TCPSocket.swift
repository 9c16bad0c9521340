// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc

/// TCP system calls on descriptors that never block. Their owner closes them.
package enum TCPSocket {
    package enum Transfer: Equatable, Sendable {
        case bytes(Int)
        /// Nothing now; the loop tells when.
        case wouldBlock
        /// The peer has closed its side, or the connection is broken.
        case ended
    }

    /// One listening socket for each address that the name stands for. `::` takes IPv6 only, so that it and `0.0.0.0`
    /// can be used together.
    package static func listen(host: String, port: UInt16, backlog: Int32 = 256) throws(SystemError) -> [Int32] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let place = SocketAddress(host: host, port: port).description
        let result = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            let reason = unsafe String(cString: gai_strerror(result))
            throw SystemError(errorNumber: EADDRNOTAVAIL, call: "cannot find the address (\(reason)) of", path: place)
        }
        defer { unsafe freeaddrinfo(list) }
        var descriptors: [Int32] = []
        var next = unsafe list
        while let entry = unsafe next {
            do throws(SystemError) {
                descriptors.append(try unsafe listen(on: entry.pointee, place: place, backlog: backlog))
            } catch {
                for descriptor in descriptors { close(descriptor) }
                throw error
            }
            unsafe next = entry.pointee.ai_next
        }
        return descriptors
    }

    private static func listen(on entry: addrinfo, place: String, backlog: Int32) throws(SystemError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(entry.ai_family, type, entry.ai_protocol)
        guard descriptor >= 0 else { throw .last("socket", path: place) }
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        if unsafe entry.ai_family == AF_INET6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        guard unsafe bind(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 else {
            let error = SystemError.last("cannot listen on", path: place)
            close(descriptor)
            throw error
        }
        guard Glibc.listen(descriptor, backlog) == 0 else {
            let error = SystemError.last("cannot listen on", path: place)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The next connection, without waiting; nil when none waits. Throws when the process lacks something to take it.
    package static func accept(_ listener: Int32) throws(SystemError) -> Int32? {
        while true {
            let descriptor = sluice_accept(listener)
            if descriptor >= 0 { return descriptor }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return nil
            default: throw .last("accept")
            }
        }
    }

    /// No delay for small segments; a peer that vanished is noticed after about a minute although nothing is sent.
    package static func configure(_ descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10)
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
        set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 60_000)
    }

    /// Options are wishes: a kernel that does not know one serves without it.
    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    package static func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            if errno == EINTR { continue }
            return errno == EAGAIN ? .wouldBlock : .ended
        }
    }

    /// Gathers all parts into one call. They stay valid until it returns.
    package static func write(
        _ descriptor: Int32, _ parts: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>
    ) -> Transfer {
        unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: parts.count) { vectors in
            for index in 0..<parts.count {
                let base = unsafe UnsafeMutableRawPointer(mutating: parts[index].baseAddress)
                unsafe vectors[index] = iovec(iov_base: base, iov_len: parts[index].count)
            }
            var message = unsafe msghdr()
            unsafe message.msg_iov = vectors.baseAddress
            unsafe message.msg_iovlen = parts.count
            while true {
                let count = unsafe sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
                if count >= 0 { return .bytes(count) }
                if errno == EINTR { continue }
                return errno == EAGAIN ? .wouldBlock : .ended
            }
        }
    }

    package static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
}
