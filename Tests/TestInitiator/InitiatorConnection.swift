// SPDX-License-Identifier: Apache-2.0
import Glibc
import ISCSI
import Wire

/// A blocking TCP connection that sends and receives iSCSI PDUs as an initiator does.
final class InitiatorConnection {
    private let descriptor: Int32
    private var framer = PDUFramer(dataSegmentLimit: 1 << 20)

    /// - Parameter timeoutSeconds: how long a receive may take before the connection counts as lost.
    init(host: String, port: UInt16, timeoutSeconds: Int) throws(InitiatorError) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw .connectionLost("socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            close(descriptor)
            throw .connectionLost("\(host) is no IPv4 address")
        }
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        var one: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let number = errno
            close(descriptor)
            throw .connectionLost("connect: errno \(number)")
        }
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws(InitiatorError) {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes { bytes in
                unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw .connectionLost("send: errno \(errno)") }
            sent += count
        }
    }

    func receive() throws(InitiatorError) -> (header: HeaderBytes, data: [UInt8]) {
        while true {
            do throws(ISCSIError) {
                if let pdu = try framer.next() { return (pdu.header, Array(framer.storage[pdu.data])) }
            } catch { throw .protocolError("\(error)") }
            let received = unsafe framer.fill { bytes in
                max(0, unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0))
            }
            guard received > 0 else { throw .connectionLost("closed or timed out (errno \(errno))") }
        }
    }
}
