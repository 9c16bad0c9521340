// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc

/// What a client sees on the wire, to the last byte and to how the connection ended.
struct RawReply: Equatable, Sendable {
    enum Ending: Equatable, Sendable { case closed, reset, silence, refused }

    var bytes: [UInt8] = []
    var ending: Ending = .silence
    var elapsed: Duration = .zero

    private var parts: (head: String, body: [UInt8]) {
        let marker = Array("\r\n\r\n".utf8)
        guard
            let end = bytes.indices.dropLast(3).first(where: { bytes[$0..<$0 + 4].elementsEqual(marker) })
        else { return (String(decoding: bytes, as: UTF8.self), []) }
        return (String(decoding: bytes[..<end], as: UTF8.self), Array(bytes[(end + 4)...]))
    }
    var head: String { parts.head }
    var body: [UInt8] { parts.body }
    var status: Int? {
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ")
        return words.count > 1 ? Int(words[1]) : nil
    }
}

/// A plain socket, so that resets, ends and missing bytes are seen as they are.
final class RawClient: Sendable {
    private let descriptor: Int32
    private let refused: Bool

    /// - Parameter patience: how long it reads before it calls the other side silent.
    init(port: UInt16, patience: Duration = .seconds(5)) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        let (seconds, attoseconds) = patience.components
        var timeout = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        refused = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) != 0
            }
        }
    }

    deinit { close(descriptor) }

    var isRefused: Bool { refused }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(
                    descriptor, $0.baseAddress.map { unsafe $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Reads until the connection ends, nothing comes any more, or the marker has come.
    func read(until marker: String? = nil) -> RawReply {
        let start = ContinuousClock.now
        var reply = RawReply()
        if refused { reply.ending = .refused } else { receive(&reply, until: marker.map { Array($0.utf8) }) }
        reply.elapsed = ContinuousClock.now - start
        return reply
    }

    private func receive(_ reply: inout RawReply, until marker: [UInt8]?) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count > 0 {
                reply.bytes += buffer[..<count]
                if let marker, reply.bytes.suffix(marker.count).elementsEqual(marker) { return }
            } else {
                reply.ending = count == 0 ? .closed : errno == ECONNRESET ? .reset : .silence
                return
            }
        }
    }

    /// One request on a connection of its own, which it asks to close; away from the threads that run tasks.
    static func exchange(
        _ port: UInt16, _ line: String, headers: [String] = [], body: [UInt8] = [], patience: Duration = .seconds(5)
    ) async -> RawReply {
        let fields = headers + ["Host: bucket.example", "Connection: close"]
        let length = body.isEmpty && !line.hasPrefix("PUT") ? [] : ["Content-Length: \(body.count)"]
        let head = (["\(line) HTTP/1.1"] + fields + length).joined(separator: "\r\n") + "\r\n\r\n"
        return await blocking {
            let start = ContinuousClock.now
            let client = RawClient(port: port, patience: patience)
            client.send(Array(head.utf8) + body)
            var reply = client.read()
            reply.elapsed = ContinuousClock.now - start
            return reply
        }
    }
}

func blocking<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: body()) }
    }
}
