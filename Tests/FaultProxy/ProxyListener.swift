// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// The listening side: takes connections, or refuses them and resets those that are open, as during an outage.
actor ProxyListener {
    /// Who is connected now; from any thread.
    private final class Clients: Sendable {
        private let table = Mutex<[ObjectIdentifier: ClientPeer]>([:])

        func add(_ client: ClientPeer) {
            let id = ObjectIdentifier(client.channel)
            table.withLock { $0[id] = client }
            client.channel.closeFuture.whenComplete { _ in self.remove(id) }
        }
        private func remove(_ id: ObjectIdentifier) { table.withLock { $0[id] = nil } }
        var all: [ClientPeer] { table.withLock { Array($0.values) } }
    }

    nonisolated let connections: AsyncStream<ClientPeer>
    private nonisolated let arrivals: AsyncStream<ClientPeer>.Continuation
    private let reservation: PortReservation
    private let clients = Clients()
    private var channel: (any Channel)?
    private var isChanging = false
    private var isFinished = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(port: UInt16) throws(FaultProxyError) {
        reservation = try PortReservation(port: port)
        (connections, arrivals) = AsyncStream.makeStream()
    }

    nonisolated var port: UInt16 { reservation.port }

    enum Change { case opened, closed }

    /// - Parameter wish: whether to listen; asked when nobody else changes it, since it may be out of date by then.
    /// - Returns: what this changed.
    @discardableResult
    func setListening(_ wish: @Sendable () -> Bool) async throws(FaultProxyError) -> Change? {
        // An actor lets others in while it waits: the second caller waits for the first, cancelled or not.
        while isChanging { await withCheckedContinuation { waiters.append($0) } }
        let shouldListen = wish()
        guard (channel != nil) != shouldListen, !(isFinished && shouldListen) else { return nil }
        isChanging = true
        defer { endChange() }
        if shouldListen {
            let (clients, arrivals) = (clients, arrivals)
            do {
                channel = try await ClientPeer.listen(on: port) { client in
                    clients.add(client)
                    arrivals.yield(client)
                }
            } catch let error as IOError { throw .listen(port: port, errno: error.errnoCode) } catch {
                throw .listen(port: port, errno: 0)
            }
        } else {
            try? await channel?.close().get()
            channel = nil
            for client in clients.all { await client.reset() }
        }
        return shouldListen ? .opened : .closed
    }

    private func endChange() {
        isChanging = false
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    /// Ends the stream of connections.
    func finish() async {
        isFinished = true
        _ = try? await setListening { false }
        arrivals.finish()
    }
}
