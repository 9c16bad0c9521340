// SPDX-License-Identifier: Apache-2.0
import CZeroMQ
import Glibc
import Logging
import Messages
import Platform

/// Decides who may connect over a network: ZeroMQ asks it about each connection (RFC 27, ZAP) before a message passes.
/// CURVE by itself admits everybody who knows the server's public key; here only listed keys are admitted, and each
/// connection is marked with the kind of service whose key it has.
///
/// It has a thread of its own, which ends when ZeroMQ's context is ended. Only that thread uses the socket after `init`
/// (starting the thread orders the calls before it); the rest is immutable: the proof for `@unchecked Sendable`.
@safe final class Authenticator: @unchecked Sendable {
    /// Of each network socket; a connection of another domain is none of ours.
    static let domain = "sluice"
    private static let endpoint = "inproc://zeromq.zap.01"
    private static let version = "1.0"
    private static let partLimit = 7
    /// A stranger who tries again and again does not fill the log.
    private static let reportInterval = Duration.seconds(10)

    private let socket: UnsafeMutableRawPointer
    private let keys: BusKeys
    private let logger: Logger

    /// Must be there before a socket of the context listens: without it, ZeroMQ would admit everybody.
    static func start(in context: UnsafeMutableRawPointer, keys: BusKeys, logger: Logger) throws(BusError) {
        let authenticator = unsafe try Authenticator(in: context, keys: keys, logger: logger)
        do throws(SystemError) {
            // Released at once: it runs on alone until the context ends.
            _ = try IOThread(name: "bus-keys") { authenticator.run() }
        } catch {
            unsafe zmq_close(authenticator.socket)
            throw .system(error)
        }
    }

    private init(in context: UnsafeMutableRawPointer, keys: BusKeys, logger: Logger) throws(BusError) {
        guard let socket = unsafe zmq_socket(context, ZMQ_REP) else { throw .lastZeroMQ("zmq_socket") }
        unsafe self.socket = socket
        self.keys = keys
        self.logger = logger
        var linger: Int32 = 0
        unsafe zmq_setsockopt(socket, ZMQ_LINGER, &linger, MemoryLayout<Int32>.size)
        guard unsafe zmq_bind(socket, Self.endpoint) == 0 else {
            let error = BusError.lastZeroMQ("zmq_bind \(Self.endpoint)")
            unsafe zmq_close(socket)
            throw error
        }
    }

    private func run() {
        var quietUntil = MonotonicInstant(nanoseconds: 0)
        while let request = receive() {
            let kind = judge(request)
            if kind == nil, MonotonicClock.now() >= quietUntil {
                quietUntil = MonotonicClock.now().advanced(by: Self.reportInterval)
                report(request)
            }
            let requestID = request.count > 1 ? request[1] : []
            let status: (code: String, text: String) = kind == nil ? ("400", "this key is not listed") : ("200", "")
            let texts = [status.code, status.text, kind?.userID ?? "", ""]
            guard send([Array(Self.version.utf8), requestID] + texts.map { Array($0.utf8) }) else { break }
        }
        // Whatever else ended this, ZeroMQ would admit everybody from now on.
        precondition(zmq_errno() == ETERM, "the authenticator ends with its context only")
        unsafe zmq_close(socket)
    }

    /// Version, request id, domain, address, identity, mechanism, the key.
    private func judge(_ request: [[UInt8]]) -> ServiceKind? {
        guard request.count == Self.partLimit, request[0].elementsEqual(Self.version.utf8),
            request[2].elementsEqual(Self.domain.utf8), request[5].elementsEqual("CURVE".utf8)
        else { return nil }
        return keys.kind(withKey: request[6])
    }

    private func report(_ request: [[UInt8]]) {
        let address = request.count > 3 ? String(decoding: request[3], as: UTF8.self) : "unknown"
        let key = request.last.flatMap { CurvePublicKey(bytes: $0) }
        logger.warning(
            "bus connection refused: its key is not listed in bus.keys_directory",
            metadata: ["address": "\(address)", "fingerprint": "\(key?.fingerprint ?? "none")"])
    }

    /// nil when the context ends.
    private func receive() -> [[UInt8]]? {
        let frame = Frame()
        var parts: [[UInt8]] = []
        repeat {
            while unsafe zmq_msg_recv(frame.message, socket, 0) < 0 {
                guard zmq_errno() == EINTR else { return nil }
            }
            // Too many parts are no request, but all are taken, so that it can be answered.
            if parts.count <= Self.partLimit { parts.append(frame.array) }
        } while frame.hasMore
        return parts
    }

    private func send(_ parts: [[UInt8]]) -> Bool {
        for (index, part) in parts.enumerated() {
            let flags = index < parts.count - 1 ? ZMQ_SNDMORE : 0
            while unsafe zmq_send(socket, part, part.count, flags) < 0 {
                guard zmq_errno() == EINTR else { return false }
            }
        }
        return true
    }
}
