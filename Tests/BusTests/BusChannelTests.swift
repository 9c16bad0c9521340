// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import Platform
import TestSupport
import Testing
import Wire

@Suite struct BusChannelTests {
    private let harness: BusHarness
    init() throws { harness = try BusHarness() }

    /// A cache manager's loop: for each `UploaderReady` it pushes one job with payload, and notes the results.
    private final class PushServer: Sendable {
        let thread: IOThread
        let loop: EventLoop
        let results = Shared<[UInt64]>([])

        init(_ harness: BusHarness, at endpoint: Endpoint, jobID: UInt64) throws {
            let loop = try EventLoop()
            self.loop = loop
            let results = results
            let identity = BusHarness.identity(.cache)
            thread = try IOThread(name: "push server") {
                do {
                    let socket = try MessageSocket(
                        .server, context: BusContext(), instance: identity.instance, logger: harness.logger)
                    let responder = HelloResponder(identity: identity)
                    let message = IncomingMessage()
                    try socket.bind(endpoint)
                    try socket.attach(to: loop) {
                        socket.drain(into: message) { message in
                            guard responder.admit(message, on: socket) != nil, let peer = message.peer else { return }
                            if message.envelope.kind == .uploaderReady {
                                Self.push(jobID, on: socket, to: peer)
                            } else if let result = try? message.decodeBody(UploadResult.self) {
                                #expect(message.payload.map(\.array) == [[9]])
                                results.update { $0.append(result.id) }
                            }
                        }
                    }
                    try loop.run()
                    socket.close()
                } catch {
                    Issue.record(error)
                }
            }
        }

        private static func push(_ id: UInt64, on socket: MessageSocket, to peer: PeerIdentity) {
            let job = UploadJob(id: id, work: .putPack(key: ObjectKey("k"), plan: [1]), timeoutMilliseconds: 5)
            let blocks = IOBuffer([UInt8](repeating: UInt8(id), count: 8192))
            let body = (try? MessageCoder.encode(job)) ?? []
            let result = socket.send(
                .init(.uploadJob, requestID: id), body: body, payload: [Frame(sharing: blocks)], to: peer)
            #expect(result == .sent)
        }

        func stop() async {
            loop.stop()
            await thread.finished()
        }
    }

    @Test func jobsArePushedAndTheChannelSurvivesTheServersRestart() async throws {
        let endpoint = try harness.endpoint()
        let uploader = try harness.bus(.uploader)
        let channel = try await uploader.open(endpoint)
        await #expect(throws: BusFault.self) { try await channel.send(.uploaderReady, ready) }
        var server = try PushServer(harness, at: endpoint, jobID: 1)
        var log: [String] = []
        events: for await event in channel.events {
            switch event {
            case .connected(let reply):
                #expect(reply.service == .cache)
                log.append("connected")
                try await channel.send(.uploaderReady, ready)
            case .message(let message):
                let job = try message.decode(UploadJob.self)
                log.append("job \(job.id)")
                #expect(message.kind == .uploadJob)
                #expect(message.payload.map(\.array) == [[UInt8](repeating: UInt8(job.id), count: 8192)])
                if job.id == 1 {
                    await server.stop()
                    server = try PushServer(harness, at: endpoint, jobID: 2)
                } else {
                    let result = UploadResult(id: job.id, outcome: .notFound)
                    try await channel.send(.uploadResult, result, payload: [Frame([9])])
                    // Ready once more, the server would push to a channel that is being closed.
                    if log.count > 5 { break events }
                    try await channel.send(.uploaderReady, ready)
                }
            case .disconnected: log.append("disconnected")
            case .refused(let fault): Issue.record(fault)
            }
        }
        #expect(Array(log.prefix(6)) == ["connected", "job 1", "disconnected", "connected", "job 2", "job 2"])
        channel.close()
        for await _ in channel.events {}
        await server.stop()
        #expect(server.results.value.first == 2)
        await uploader.close()
    }

    private var ready: UploaderReady { UploaderReady(freeWriteSlots: 1, freeReadSlots: 1) }

    @Test func closingTheBusEndsTheEvents() async throws {
        let uploader = try harness.bus(.uploader)
        let channel = try await uploader.open(harness.endpoint("absent"))
        uploader.shutdown()
        for await _ in channel.events { Issue.record("nothing happened on this channel") }
        await uploader.close()
        await #expect(throws: BusFault(.cancelled, "the bus of this process is shut down")) {
            try await channel.send(.uploaderReady, ready)
        }
    }
}
