// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import Platform
import Synchronization

/// Keys for every kind of service, and an address of the loopback network.
struct NetworkHarness: Sendable {
    private let secrets: [ServiceKind: CurveSecretKey]
    private let address: SocketAddress

    init() throws {
        secrets = Dictionary(
            uniqueKeysWithValues: try ServiceKind.allCases.map { ($0, try CurveSecretKey.generate()) })
        address = SocketAddress(host: "127.0.0.1", port: try Self.freePort())
    }

    func endpoint(_ kind: ServiceKind = .cache) throws -> Endpoint { try Endpoint(address: address, of: kind) }
    var port: UInt16 { address.port }

    /// - Parameters:
    ///   - secretKey: nil: the listed one.
    ///   - changes: whom this process knows under another key.
    func keys(
        _ kind: ServiceKind, secretKey: CurveSecretKey? = nil, changes: [ServiceKind: CurvePublicKey] = [:]
    ) throws -> BusKeys {
        let own = try secretKey ?? secrets[kind] ?? .generate()
        return BusKeys(
            own: kind, secretKey: own, listed: secrets.mapValues(\.publicKey).merging(changes) { $1 })
    }

    /// Does nobody listen any more?
    var isFree: Bool {
        guard let listeners = try? TCPSocket.listen(host: address.host, port: address.port) else { return false }
        for listener in listeners { TCPSocket.close(listener) }
        return true
    }

    static func freePort() throws -> UInt16 {
        let listeners = try TCPSocket.listen(host: "127.0.0.1", port: 0)
        defer { for listener in listeners { TCPSocket.close(listener) } }
        return listeners.first.flatMap(SocketAddress.local)?.port ?? 0
    }
}

/// A connection between two services that can be cut without either being told, as a network is that loses everything.
final class FrozenRelay: Sendable {
    let port: UInt16
    private let listener: Int32
    private let isFrozen = Atomic(false)
    private let isOver = Atomic(false)
    private let thread = Mutex<IOThread?>(nil)

    init(to target: UInt16) throws {
        listener = try TCPSocket.listen(host: "127.0.0.1", port: 0)[0]
        port = SocketAddress.local(of: listener)?.port ?? 0
        let relay = try IOThread(name: "relay") { [self] in run(target) }
        thread.withLock { $0 = relay }
    }

    func freeze() { isFrozen.store(true, ordering: .sequentiallyConsistent) }

    func end() async {
        isOver.store(true, ordering: .sequentiallyConsistent)
        await thread.withLock { $0 }?.finished()
    }

    private func run(_ target: UInt16) {
        var pairs: [(Int32, Int32)] = []
        while !isOver.load(ordering: .sequentiallyConsistent) {
            var entries = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            for (one, other) in pairs {
                for descriptor in [one, other] {
                    entries.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                }
            }
            if isFrozen.load(ordering: .sequentiallyConsistent) { entries.removeAll() }
            _ = unsafe poll(&entries, nfds_t(entries.count), 20)
            guard !entries.isEmpty else { continue }
            for (index, (one, other)) in pairs.enumerated() {
                if entries[1 + 2 * index].revents != 0 { forward(one, other) }
                if entries[2 + 2 * index].revents != 0 { forward(other, one) }
            }
            if let near = try? TCPSocket.accept(listener), let far = connect(target) { pairs.append((near, far)) }
        }
        for (one, other) in pairs {
            TCPSocket.close(one)
            TCPSocket.close(other)
        }
        TCPSocket.close(listener)
    }

    private func forward(_ from: Int32, _ to: Int32) {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(from, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else {
            _ = shutdown(to, Int32(SHUT_RDWR))
            return
        }
        var sent = 0
        while sent < count {
            let result = unsafe bytes[sent..<count].withUnsafeBytes {
                unsafe send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard result > 0 || errno == EAGAIN else { return }
            sent += max(0, result)
        }
    }

    private func connect(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
