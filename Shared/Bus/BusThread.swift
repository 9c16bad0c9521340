// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Logging
package import Messages
import Platform
import Synchronization

/// The bus for services that are written with async functions: one thread that owns every ZeroMQ socket.
///
/// Requests and channels work from `init` on; handlers run inside `run()`. Somebody must call `shutdown()`, directly or
/// by cancelling `run()`: until then the thread runs.
package final class BusThread: Sendable {
    private typealias Handler = @Sendable ([UInt8], BusPeer, UInt64) async throws -> [UInt8]

    package let identity: BusIdentity
    package let counters = BusCounters()
    private let core: BusCore
    private let thread: IOThread
    private let jobs: AsyncStream<BusJob>
    private let jobSink: AsyncStream<BusJob>.Continuation
    private let handlers = Mutex<[MessageKind: Handler]>([:])
    private let helloDetails = Mutex<@Sendable () -> HelloDetails>({ HelloDetails() })
    private let health = Mutex<@Sendable () async -> HealthState>({ HealthState(isReady: true, detail: "running") })
    private let metricProviders = Mutex<[@Sendable () async -> [MetricFamily]]>([])
    private let startedAt = MonotonicClock.now()

    /// What a service says of itself.
    package struct HealthState: Sendable, Equatable {
        package var isReady: Bool
        /// One line for people: what it does now, or why it is not ready.
        package var detail: String
        package init(isReady: Bool, detail: String) {
            self.isReady = isReady
            self.detail = detail
        }
    }

    package init(
        identity: BusIdentity, keys: BusKeys? = nil, logger: Logger, options: Socket.Options = Socket.Options()
    ) throws(BusError) {
        self.identity = identity
        let core = try BusCore(
            identity: identity, keys: keys, logger: logger, counters: counters, options: options)
        self.core = core
        (jobs, jobSink) = AsyncStream.makeStream(of: BusJob.self)
        do throws(SystemError) {
            thread = try IOThread(name: "bus") { core.runLoop() }
        } catch {
            throw .system(error)
        }
        handle(HealthRequest.self) { [weak self] _, _ in try await self.orShutDown().healthReply() }
        handle(MetricsRequest.self) { [weak self] _, _ in try await self.orShutDown().metricsReply() }
    }

    // MARK: Serving

    /// Before `bind`, as a rule. A handler that throws a `BusFault` sends it; anything else it throws is logged and
    /// becomes `internalError`. A request is given to its handler once, however often it is sent.
    package func handle<Request: BusRequest>(
        _ type: Request.Type,
        _ handler: @escaping @Sendable (Request, BusPeer) async throws -> Request.Reply
    ) {
        handleNumbered(type) { request, peer, _ in try await handler(request, peer) }
    }

    /// As `handle`, with the request's number: with the peer's instance it names the request for ever, so a handler
    /// can recognise a repeat that an earlier run of this process has served.
    package func handleNumbered<Request: BusRequest>(
        _ type: Request.Type,
        _ handler: @escaping @Sendable (Request, BusPeer, UInt64) async throws -> Request.Reply
    ) {
        precondition(Request.kind != .hello, "hello is the bus's own")
        handlers.withLock { handlers in
            handlers[Request.kind] = { body, peer, number in
                let request = try MessageCoder.decode(Request.self, from: body)
                return try MessageCoder.encode(try await handler(request, peer, number))
            }
        }
    }

    /// What hello's reply says; asked for on the bus thread, so it must not wait.
    package func provideHello(_ provider: @escaping @Sendable () -> HelloDetails) {
        helloDetails.withLock { $0 = provider }
    }

    package func provideHealth(_ provider: @escaping @Sendable () async -> HealthState) {
        health.withLock { $0 = provider }
    }

    /// Added to those given before and to the bus's own.
    package func provideMetrics(_ provider: @escaping @Sendable () async -> [MetricFamily]) {
        metricProviders.withLock { $0.append(provider) }
    }

    /// Serves this endpoint; its requests are answered while `run()` runs.
    package func bind(_ endpoint: Endpoint) async throws(BusError) {
        let sink = jobSink
        let details: @Sendable () -> HelloDetails = { [weak self] in
            self?.helloDetails.withLock { $0 }() ?? HelloDetails()
        }
        let result: Result<Void, BusError> = await onCore { core throws(BusError) in
            try core.bind(endpoint, details: details) { job in sink.yield(job) }
        }
        try result.get()
    }

    /// Runs the handlers, each request in a task of its own, until `shutdown()` or cancellation. Once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await job in jobs { group.addTask { await self.execute(job) } }
            group.cancelAll()
        }
        await close()
    }

    /// From any thread; returns at once. Waiting requests fail, handlers are cancelled, the sockets close.
    package func shutdown() {
        jobSink.finish()
        // Refused only if it is shut down already.
        _ = core.post { $0.shutDown() }
    }

    /// `shutdown()`, and waits until every socket is closed. For programs that serve nothing and do not call `run()`.
    package func close() async {
        shutdown()
        await thread.finished()
    }

    private func execute(_ job: BusJob) async {
        guard let handler = handlers.withLock({ $0[job.kind] }) else {
            let text = "\(identity.service) does not serve \(job.kind) requests"
            return job.answer(.failure(BusFault(.unsupportedKind, text)))
        }
        do {
            job.answer(.success(try await handler(job.body, job.peer, job.number)))
        } catch let fault as BusFault {
            job.answer(.failure(fault))
        } catch let error as MessageError {
            job.answer(.failure(BusFault(refusing: error)))
        } catch is CancellationError {
            // The server stops. Without an answer the request is sent again, to the one that comes after it.
        } catch {
            core.logger.error("bus request failed", metadata: ["kind": "\(job.kind)", "error": "\(error)"])
            job.answer(.failure(BusFault(.internalError, "\(job.kind): \(error)")))
        }
    }

    // MARK: Asking

    /// Sends, and sends again with the same number after losses and restarts, until there is an answer or `deadline`
    /// has passed. Connects and says hello as needed.
    package func request<Request: BusRequest>(
        _ request: Request, to endpoint: Endpoint, deadline: Duration
    ) async throws(BusFault) -> Request.Reply {
        let body: [UInt8]
        do throws(MessageError) {
            body = try MessageCoder.encode(request)
        } catch {
            throw BusFault(refusing: error)
        }
        let open = RequestReply.Request(
            kind: Request.kind, body: body, deadline: MonotonicClock.now().advanced(by: deadline))
        switch await answer(to: open, at: endpoint) {
        case .fault(let fault): throw fault
        case .reply(let bytes):
            do throws(MessageError) {
                return try MessageCoder.decode(Request.Reply.self, from: bytes)
            } catch {
                throw BusFault(.malformed, "\(endpoint) answered \(Request.kind) with something else: \(error)")
            }
        }
    }

    private func answer(to request: RequestReply.Request, at endpoint: Endpoint) async -> RequestReply.Answer {
        let ticket = RequestTicket()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isPosted = core.post { core in
                    core.submit(request, to: endpoint, ticket: ticket) { continuation.resume(returning: $0) }
                }
                if !isPosted { continuation.resume(returning: .fault(BusCore.shutDownFault)) }
            }
        } onCancel: {
            ticket.isCancelled.store(true, ordering: .sequentiallyConsistent)
            _ = core.post { $0.cancel(ticket, at: endpoint) }
        }
    }

    /// A connection for messages in both directions; see `BusChannel`.
    /// - Parameter eventCapacity: events kept for a consumer that is behind; more are dropped and counted.
    package func open(_ endpoint: Endpoint, eventCapacity: Int = 1024) async throws(BusError) -> BusChannel {
        let (events, continuation) = AsyncStream.makeStream(
            of: BusChannel.Event.self, bufferingPolicy: .bufferingOldest(eventCapacity))
        let sink = ChannelSink(continuation: continuation)
        let result: Result<ChannelCore, BusError> = await onCore { core throws(BusError) in
            try core.openChannel(endpoint, sink: sink)
        }
        return BusChannel(core: core, channel: try result.get(), events: events)
    }

    // MARK: Private parts

    private func onCore<Value: Sendable>(
        _ body: @escaping @Sendable (BusCore) throws(BusError) -> Value
    ) async -> Result<Value, BusError> {
        await withCheckedContinuation { continuation in
            let isPosted = core.post { core in
                continuation.resume(returning: Result { () throws(BusError) in try body(core) })
            }
            if !isPosted { continuation.resume(returning: .failure(.isShutDown)) }
        }
    }

    private func healthReply() async -> HealthRequest.Reply {
        let state = await health.withLock { $0 }()
        let uptime = MonotonicClock.now().duration(since: startedAt)
        return HealthRequest.Reply(
            service: identity.service, instance: identity.instance, softwareVersion: identity.softwareVersion,
            uptimeSeconds: Double(uptime.wholeNanoseconds) / 1e9, processID: getpid(), isReady: state.isReady,
            detail: state.detail)
    }

    private func metricsReply() async -> MetricsRequest.Reply {
        var families = counters.metricFamilies()
        let states: Result<[MetricFamily.Sample], BusError> = await onCore { core in
            core.peerStates.map { .init(labels: ["endpoint": "\($0.endpoint)"], value: $0.isConnected ? 1 : 0) }
        }
        if case .success(let samples) = states, !samples.isEmpty {
            families.append(MetricFamily(.busPeerConnected, samples))
        }
        for provider in metricProviders.withLock({ $0 }) { families += await provider() }
        return MetricsRequest.Reply(families: families)
    }
}

extension Optional<BusThread> {
    /// The built-in handlers hold their bus weakly.
    fileprivate func orShutDown() throws(BusFault) -> BusThread {
        guard let self else { throw BusCore.shutDownFault }
        return self
    }
}
