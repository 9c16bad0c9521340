// SPDX-License-Identifier: Apache-2.0
import Glibc
import ISCSI
import Platform
import Wire

/// One TCP connection to a frontend that sends what no decent initiator sends.
final class RawInitiator {
    private let descriptor: Int32
    private(set) var framer = PDUFramer()
    var writer = PDUWriter()
    var login = LoginRequest()

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7f00_0001).bigEndian)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemError.last("connect") }
        login.isImmediate = true
        login.isid = InitiatorSessionID(rawValue: 0x4000_0000_0000 | Randomness.uint64() >> 24)
        login.flags = LoginFlags(transit: true, current: .operational, next: .fullFeature)
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes {
            _ = unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
    }

    func send(_ pdu: some FixedPDU, data: [UInt8] = []) {
        writer.bytes.removeAll()
        writer.append(pdu, data: data)
        send(writer.bytes)
    }

    /// Nil when the target closes.
    func receive() throws -> (header: HeaderBytes, data: [UInt8])? {
        while true {
            if let pdu = try framer.next() {
                guard !pdu.hasDataDigestError else { throw ISCSIError.headerDigestMismatch }
                return (pdu.header, Array(framer.storage[pdu.data]))
            }
            var count = 0
            _ = unsafe framer.fill { bytes in
                count = unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0)
                return max(0, count)
            }
            if count < 0, errno == EAGAIN { throw SystemError.last("the target does not answer") }
            if count <= 0 { return nil }
        }
    }

    /// One round with these keys beside the names; digests begin if they were agreed on.
    func logIn(_ target: String?, _ keys: [TextPair] = []) throws -> (LoginResponse, [TextPair]) {
        var pairs = [TextPair("InitiatorName", "iqn.2026-11.com.example:raw")]
        pairs.append(target.map { TextPair("TargetName", $0) } ?? TextPair("SessionType", "Discovery"))
        send(login, data: TextKeys.encode(pairs + keys))
        guard let (header, data) = try receive(), let response = LoginResponse(decoding: header) else {
            throw ISCSIError.malformedText("no login response")
        }
        let answers = try TextKeys.parse(data)
        let digests = DigestSettings(
            header: answers.contains(TextPair("HeaderDigest", "CRC32C")),
            data: answers.contains(TextPair("DataDigest", "CRC32C")))
        framer.beginFullFeaturePhase(dataSegmentLimit: 1 << 20, digests: digests)
        writer.digests = digests
        return (response, answers)
    }
}
