// SPDX-License-Identifier: Apache-2.0
import Logging
import Messages
import Platform
import Wire

/// Everything that lives on the bus thread. Confined to `loop`; other threads only `post`. That is the proof for
/// `@unchecked Sendable`.
final class BusCore: @unchecked Sendable {
    struct Command: Sendable { let run: @Sendable (BusCore) -> Void }

    /// Commands waiting for the thread. Callers wait for their answers, so this many means that it hangs.
    private static let commandLimit = 1 << 16

    let loop: EventLoop
    let context: BusContext
    let identity: BusIdentity
    let logger: Logger
    let counters: BusCounters
    let socketOptions: Socket.Options
    private var commands: Mailbox<Command>?
    private var servers: [BusServer] = []
    private var clients: [Endpoint: BusClient] = [:]
    private var channels: [ObjectIdentifier: ChannelCore] = [:]
    private var lastNumber: UInt64 = 0
    private var lastOrdinal: UInt32 = 0
    private(set) var isShutDown = false

    init(
        identity: BusIdentity, keys: BusKeys?, logger: Logger, counters: BusCounters, options: Socket.Options
    ) throws(BusError) {
        self.identity = identity
        self.logger = logger
        self.counters = counters
        socketOptions = options
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            throw .system(error)
        }
        context = try BusContext(keys: keys, logger: logger)
        commands = Mailbox(loop: loop, capacity: Self.commandLimit) { [unowned self] in $0.run(self) }
    }

    // MARK: From any thread

    /// - Returns: false if the bus is shut down; the command will not run.
    func post(_ run: @escaping @Sendable (BusCore) -> Void) -> Bool {
        commands?.post(Command(run: run)) ?? false
    }

    // MARK: The thread

    /// The body of the bus thread.
    func runLoop() {
        do throws(SystemError) {
            try loop.run()
        } catch {
            logger.critical("bus thread stopped", metadata: ["error": "\(error)"])
        }
        closeAll()
        // Callers still wait for what these commands promise.
        for command in commands?.close() ?? [] { command.run(self) }
    }

    func shutDown() {
        isShutDown = true
        loop.stop()
    }

    private func closeAll() {
        isShutDown = true
        let fault = Self.shutDownFault
        for server in servers { server.close() }
        for client in clients.values { client.close(fault) }
        for channel in channels.values { channel.close() }
        servers = []
        clients = [:]
        channels = [:]
    }

    static let shutDownFault = BusFault(.cancelled, "the bus of this process is shut down")

    // MARK: On the loop

    func drawNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    func drawPeerIdentity() -> PeerIdentity {
        lastOrdinal += 1
        return PeerIdentity(instance: identity.instance, ordinal: lastOrdinal)
    }

    func bind(
        _ endpoint: Endpoint, details: @escaping @Sendable () -> HelloDetails,
        dispatch: @escaping @Sendable (BusJob) -> Void
    ) throws(BusError) {
        guard !isShutDown else { throw .isShutDown }
        servers.append(try BusServer(core: self, endpoint: endpoint, details: details, dispatch: dispatch))
        logger.info("bus endpoint open", metadata: ["endpoint": "\(endpoint)"])
    }

    func submit(
        _ request: RequestReply.Request, to endpoint: Endpoint, ticket: RequestTicket,
        completion: @escaping BusClient.Completion
    ) {
        guard !isShutDown else { return completion(.fault(Self.shutDownFault)) }
        do throws(BusError) {
            try client(for: endpoint).submit(request, ticket: ticket, completion: completion)
        } catch {
            completion(.fault(BusFault(.internalError, "cannot connect to \(endpoint): \(error)")))
        }
    }

    func cancel(_ ticket: RequestTicket, at endpoint: Endpoint) { clients[endpoint]?.cancel(ticket) }

    private func client(for endpoint: Endpoint) throws(BusError) -> BusClient {
        if let client = clients[endpoint] { return client }
        dropObsoleteClients()
        let client = try BusClient(core: self, endpoint: endpoint)
        clients[endpoint] = client
        return client
    }

    /// Services on a network come back under new addresses; connections to the old ones would be tried for ever.
    private func dropObsoleteClients() {
        let now = MonotonicClock.now()
        for (endpoint, client) in clients where client.isObsolete(now: now) {
            client.close(Self.shutDownFault)
            clients[endpoint] = nil
        }
    }

    func openChannel(_ endpoint: Endpoint, sink: ChannelSink) throws(BusError) -> ChannelCore {
        guard !isShutDown else { throw .isShutDown }
        let channel = try ChannelCore(core: self, endpoint: endpoint, sink: sink)
        channels[ObjectIdentifier(channel)] = channel
        return channel
    }

    func closeChannel(_ channel: ChannelCore) {
        channels.removeValue(forKey: ObjectIdentifier(channel))
        channel.close()
    }

    /// Endpoints that requests or channels use, and whether each answers now.
    var peerStates: [(endpoint: Endpoint, isConnected: Bool)] {
        clients.map { ($0.key, $0.value.isEstablished) } + channels.values.map { ($0.endpoint, $0.isEstablished) }
    }
}
