// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import Platform
import Wire

/// What a link tells its owner, on the loop.
protocol CacheLinkOwner: AnyObject {
    /// - Parameter payload: the data of a read, of the length that the reply says.
    func link(_ link: CacheLink, answered owner: RequestOwner, _ reply: IOReply, payload: FrameSlice?)
    func link(_ link: CacheLink, gaveUp owner: RequestOwner, _ operation: IORequest.Operation, wasSent: Bool)
    /// The list is not older than `listedAt`.
    func link(_ link: CacheLink, listed volumes: [VolumeDescription])
    /// This instance was silent too long: nothing that it sent will be applied any more, and nothing will be answered.
    func linkWasRevoked(_ link: CacheLink)
}

/// The way to one cache manager: hello, I/O in batches, the list of volumes. Commands wait here while it is away.
/// Confined to the loop's thread.
final class CacheLink {
    /// Never used again for another one.
    struct ID: Hashable, Sendable { var rawValue: Int }

    /// Which cache manager this is now.
    struct State: Sendable {
        var id: ID
        /// Of the cache manager that answered hello last.
        var incarnation: ServiceInstance?
    }

    struct Settings {
        var id: ID
        var identity: BusIdentity
        var commandHold: Duration
    }

    private static let pollInterval = Duration.seconds(1)
    /// While a volume is on standby: initiators wait for it when it comes.
    private static let standbyPollInterval = Duration.milliseconds(250)
    /// A cache manager that is starting refuses hello; asking costs little.
    private static let notReadyInterval = Duration.milliseconds(20)
    private static let refusedInterval = Duration.seconds(1)
    private static let fullInterval = Duration.milliseconds(2)
    /// Requests expire here a little after the cache manager refuses them, so that none is applied behind a BUSY.
    private static let deadlineGrace = Duration.milliseconds(100)

    /// How I/O travels, as a metric's label; a ring would be another one.
    static let lane = "zeromq"

    weak var owner: (any CacheLinkOwner)?
    private(set) var outstanding: OutstandingRequests<RequestOwner, IOBuffer>
    let counters: BusCounters
    private let settings: Settings
    private let holdMilliseconds: Int64
    private let holdNanoseconds: UInt64
    private let loop: EventLoop
    private let logger: Logger
    private let numbers: RequestNumbers
    private let socket: MessageSocket
    let endpoint: Endpoint
    private let handshake: ClientHandshake
    private let message = IncomingMessage()
    private var batch: [OutstandingRequests<RequestOwner, IOBuffer>.Item] = []
    private var body: [UInt8] = []
    private var frames: [Frame] = []
    private var nextMessageID: UInt64 = 1
    /// The cache manager's clock minus ours, milliseconds.
    private var clockOffset: Int64 = 0
    private var incarnation: ServiceInstance?
    private var greetAt: MonotonicInstant?
    private var sendAgainAt: MonotonicInstant?
    private var pollAt = MonotonicInstant(nanoseconds: 0)
    private var pollInterval = CacheLink.pollInterval
    private var poll: (requestID: UInt64, askedAt: MonotonicInstant)?
    /// The newest list that came is not older than this; nil before the first one since it is connected.
    private(set) var listedAt: MonotonicInstant?
    /// Since when it is not connected.
    private(set) var awaySince: MonotonicInstant
    private var isRevoked = false
    private var lastRefusal: BusFault?
    private var isKeyRefused = false
    private lazy var timer = loop.makeTimer {}

    init(
        _ settings: Settings, to endpoint: Endpoint, numbers: RequestNumbers, loop: EventLoop, context: BusContext,
        counters: BusCounters, logger: Logger
    ) throws {
        self.settings = settings
        holdMilliseconds = settings.commandHold.wholeMillisecondsRoundedUp
        holdNanoseconds = UInt64(max(0, (settings.commandHold + Self.deadlineGrace).wholeNanoseconds))
        self.loop = loop
        self.logger = logger
        self.counters = counters
        self.numbers = numbers
        self.endpoint = endpoint
        awaySince = loop.now
        outstanding = OutstandingRequests(frontend: settings.identity.instance)
        let instance = settings.identity.instance
        socket = try MessageSocket(
            .client(PeerIdentity(instance: instance, ordinal: 0)), context: context, instance: instance,
            logger: logger, counters: counters)
        let identifiers = MessageIdentifiers()
        handshake = ClientHandshake(identity: settings.identity) { identifiers.draw() }
        try socket.connect(endpoint)
    }

    /// `work` calls `turn` and whatever depends on what came in.
    func start(work: @escaping () -> Void) throws { try socket.attach(to: loop, work: work) }

    func close() { socket.close() }

    var isConnected: Bool { outstanding.isConnected }
    var id: ID { settings.id }
    var state: State { State(id: id, incarnation: incarnation) }

    // MARK: Requests

    /// A command: given up when the configured time is over.
    func submit(_ request: IORequest, payload: IOBuffer?, owner: RequestOwner) {
        var request = request
        let now = loop.now
        let wall = Int64(WallClock.millisecondsNow()) + clockOffset + holdMilliseconds
        request.deadlineMilliseconds = UInt64(max(1, wall))
        let deadline = now.nanoseconds + holdNanoseconds
        outstanding.submit(request, number: numbers.draw(), payload: payload, owner: owner, deadline: deadline)
    }

    /// Answered when no older request of the nexus, or of all, can be applied any more, however long that takes.
    func submitBarrier(_ barrier: BarrierRequest, volume: VolumeID, nexus: UInt64, owner: RequestOwner) {
        let payload = barrier.payload.isEmpty ? nil : IOBuffer(barrier.payload)
        let request = IORequest(
            volume: volume, frontend: settings.identity.instance, number: 0, lowestOpenNumber: 0,
            deadlineMilliseconds: 0, nexus: nexus, operation: barrier.operation, flags: [],
            sectors: SectorRange(start: 0, count: 0), payloadByteCount: UInt32(barrier.payload.count))
        outstanding.submit(request, number: numbers.draw(), payload: payload, owner: owner, deadline: .max)
    }

    /// A volume has moved: what is open of it goes to where it is now.
    func move(_ volume: VolumeID, to other: CacheLink) {
        other.outstanding.add(
            outstanding.take(of: volume), clockDifference: other.clockOffset &- clockOffset)
    }

    /// They are never sent again.
    /// - Returns: how many of them may still be applied, until a barrier of their nexus has passed.
    @discardableResult
    func drop(where isDropped: (RequestOwner) -> Bool) -> Int { outstanding.drop(where: isDropped) }

    func repeatNow(nexus: UInt64) { outstanding.repeatNow(nexus: nexus) }

    /// Asks for the list of volumes now.
    func refresh() {
        pollAt = loop.now
        loop.requestIteration()
    }

    // MARK: One round

    /// Sends what waits, receives what is there, until there is neither.
    func turn() {
        guard !isRevoked else { return }
        let now = loop.now
        // The owner may submit more while it is told, so the table is left first.
        var expired: [OutstandingRequests<RequestOwner, IOBuffer>.Closed] = []
        outstanding.advance(to: now.nanoseconds) { expired.append($0) }
        for closed in expired {
            owner?.link(self, gaveUp: closed.owner, closed.request.operation, wasSent: closed.wasSent)
        }
        if let due = greetAt, due <= now {
            greetAt = nil
            handshake.connectionChanged(.connected, now: now)
        }
        handshake.advance(on: socket, now: now)
        var isFull = false
        repeat {
            sendPoll(now)
            isFull = !sendBatches(now)
            socket.drain(into: message) { event in
                connectionChanged(event, now)
            } handler: { message in
                receive(message, now)
            }
            handshake.advance(on: socket, now: now)
        } while !isFull && !isRevoked && (outstanding.hasSomethingToSend || isPollDue(now))
        sendAgainAt = isFull ? now.advanced(by: Self.fullInterval) : nil
        armTimer()
    }

    private func armTimer() {
        // In every round, so without an array.
        var next = isConnected ? pollAt : loop.now.advanced(by: Self.pollInterval)
        if let due = outstanding.nextDeadline { next = min(next, MonotonicInstant(nanoseconds: due)) }
        if let due = handshake.nextDeadline { next = min(next, due) }
        if let greetAt { next = min(next, greetAt) }
        if let sendAgainAt { next = min(next, sendAgainAt) }
        timer.arm(at: next)
    }

    private func connectionChanged(_ event: ConnectionEvent, _ now: MonotonicInstant) {
        guard event != .refused else { return keysRefused() }
        handshake.connectionChanged(event, now: now)
        greetAt = nil
        guard event == .disconnected else { return }
        loseConnection("the connection ended")
    }

    /// Said once; ZeroMQ keeps trying.
    private func keysRefused() {
        guard !isKeyRefused else { return }
        isKeyRefused = true
        logger.error(
            "The cache manager refuses the connection: compare the keys of both sides",
            metadata: ["endpoint": "\(endpoint)"])
    }

    private func loseConnection(_ reason: String) {
        guard outstanding.isConnected else { return }
        logger.warning(
            "Cache manager away; commands wait", metadata: ["reason": "\(reason)", "open": "\(outstanding.openCount)"])
        outstanding.disconnected()
        poll = nil
        listedAt = nil
        awaySince = loop.now
    }

    private func receive(_ message: IncomingMessage, _ now: MonotonicInstant) {
        switch handshake.handle(message, now: now) {
        case .nothing: break
        case .established(let reply): connect(reply, now)
        case .forgotten: loseConnection("it does not know this frontend")
        case .refused(let fault): refused(fault, now)
        case .other: receiveOther(message, now)
        }
    }

    private func connect(_ reply: HelloRequest.Reply, _ now: MonotonicInstant) {
        clockOffset = Int64(clamping: reply.clockMilliseconds) - Int64(clamping: WallClock.millisecondsNow())
        lastRefusal = nil
        isKeyRefused = false
        let isNew = incarnation != reply.instance
        logger.info(
            "Connected to the cache manager",
            metadata: [
                "instance": "\(reply.instance)", "new": "\(isNew)", "version": "\(reply.softwareVersion)",
                "open": "\(outstanding.openCount)",
            ])
        incarnation = reply.instance
        outstanding.connected()
        pollAt = now
    }

    private func refused(_ fault: BusFault, _ now: MonotonicInstant) {
        loseConnection(fault.message)
        switch fault.code {
        case .notReady, .busy:
            greetAt = now.advanced(by: Self.notReadyInterval)
        case .revoked:
            logger.error("Revoked by the cache manager", metadata: ["reason": "\(fault.message)"])
            isRevoked = true
            owner?.linkWasRevoked(self)
        default:
            greetAt = now.advanced(by: Self.refusedInterval)
            if lastRefusal != fault {
                logger.error("Refused by the cache manager", metadata: ["reason": "\(fault.message)"])
            }
            lastRefusal = fault
        }
    }

    private func receiveOther(_ message: IncomingMessage, _ now: MonotonicInstant) {
        switch message.envelope.kind {
        case .io where message.envelope.isReply:
            receiveReplies(message, now)
        case .volumeList where message.envelope.isReply && message.envelope.requestID == poll?.requestID:
            guard let poll, let reply = try? message.decodeBody(VolumeListRequest.Reply.self) else { return }
            self.poll = nil
            let hasStandby = reply.volumes.contains { $0.status == .standby }
            pollInterval = hasStandby ? Self.standbyPollInterval : Self.pollInterval
            listedAt = poll.askedAt
            owner?.link(self, listed: reply.volumes)
        case .fault where message.envelope.requestID == poll?.requestID:
            poll = nil
            let fault = try? message.decodeBody(BusFault.self)
            logger.warning("No list of volumes", metadata: ["reason": "\(fault?.message ?? "unreadable")"])
        case .fault:
            let fault = try? message.decodeBody(BusFault.self)
            logger.error(
                "The cache manager refused a message", metadata: ["reason": "\(fault?.message ?? "unreadable")"])
        default:
            break
        }
    }

    // MARK: Sending

    private func isPollDue(_ now: MonotonicInstant) -> Bool { isConnected && pollAt <= now }

    private func sendPoll(_ now: MonotonicInstant) {
        guard isPollDue(now), let body = try? MessageCoder.encode(VolumeListRequest()) else { return }
        let requestID = takeMessageID()
        pollAt = now.advanced(by: pollInterval)
        guard socket.send(.init(.volumeList, requestID: requestID), body: body) == .sent else { return }
        poll = (requestID, now)
    }

    /// - Returns: false when the socket takes no more now.
    private func sendBatches(_ now: MonotonicInstant) -> Bool {
        while outstanding.hasSomethingToSend {
            outstanding.prepareBatch(into: &batch, lowestOpenNumber: numbers.lowestOpen)
            guard !batch.isEmpty else {
                outstanding.batchWasSent(at: now.nanoseconds)
                continue
            }
            encodeBatch()
            frames.removeAll(keepingCapacity: true)
            PayloadFrames.carry(batch.compactMap(\.payload), in: &frames)
            let result = socket.send(.init(.io, requestID: takeMessageID()), body: body, payload: frames)
            guard result == .sent else { return false }
            outstanding.batchWasSent(at: now.nanoseconds)
        }
        batch.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        return true
    }

    private func encodeBatch() {
        let byteCount = batch.count * IORequest.byteCount
        if body.count != byteCount { body = [UInt8](repeating: 0, count: byteCount) }
        for (index, item) in batch.enumerated() {
            let range = index * IORequest.byteCount..<(index + 1) * IORequest.byteCount
            unsafe body.withUnsafeMutableBytes { bytes in
                var slot = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
                item.request.encode(into: &slot)
            }
        }
    }

    private func takeMessageID() -> UInt64 {
        defer { nextMessageID += 1 }
        return nextMessageID << 1
    }

    // MARK: Replies

    private func receiveReplies(_ message: IncomingMessage, _ now: MonotonicInstant) {
        let body = unsafe message.body
        guard body.count.isMultiple(of: IOReply.byteCount) else {
            return report("the body does not hold whole replies")
        }
        var cursor = PayloadCursor()
        for offset in stride(from: 0, to: body.count, by: IOReply.byteCount) {
            let slot = unsafe RawSpan(
                _unsafeBytes: UnsafeRawBufferPointer(rebasing: body[offset..<offset + IOReply.byteCount]))
            guard let reply = try? IOReply(decoding: slot) else { return report("a reply that cannot be read") }
            var payload: FrameSlice?
            if reply.payloadByteCount > 0 {
                payload = cursor.take(Int(reply.payloadByteCount), from: message.payload)
                guard payload != nil else { return report("a payload is missing or too short") }
            }
            receive(reply, payload, now)
        }
    }

    private func receive(_ reply: IOReply, _ payload: FrameSlice?, _ now: MonotonicInstant) {
        guard reply.frontend == settings.identity.instance else { return }
        guard reply.status != .helloRequired else {
            // The request stays open; all go out again after the next hello.
            loseConnection("it asks for hello")
            greetAt = greetAt ?? now.advanced(by: Self.notReadyInterval)
            return
        }
        // The volume is on its way to another cache manager, or back to this one: the request is sent again.
        guard reply.status != .unknownVolume else { return }
        guard let closed = outstanding.complete(reply.number) else { return }
        owner?.link(self, answered: closed.owner, reply, payload: payload)
    }

    /// What the replies answered is asked again when its time comes.
    private func report(_ reason: String) {
        logger.error("Malformed I/O answer from the cache manager", metadata: ["reason": "\(reason)"])
    }
}

/// Odd numbers, apart from the even ones that the link itself uses.
private final class MessageIdentifiers {
    private var next: UInt64 = 1
    func draw() -> UInt64 {
        defer { next += 2 }
        return next
    }
}
