// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import Platform
import TestSupport
import Testing
import Wire

@Suite struct BusThreadTests {
    private let harness: BusHarness
    init() throws { harness = try BusHarness() }

    private func description(_ name: String) -> VolumeDeleteRequest {
        VolumeDeleteRequest(volume: VolumeReference(name))
    }

    /// A request that goes on while the test does something else.
    private func start<Request: BusRequest>(
        _ request: Request, on bus: BusThread, to endpoint: Endpoint
    ) -> Task<Result<Request.Reply, BusFault>, Never> {
        Task {
            do throws(BusFault) {
                return .success(try await bus.request(request, to: endpoint, deadline: .seconds(60)))
            } catch {
                return .failure(error)
            }
        }
    }

    @Test func answersRequestsAndTellsHandlersWhoAsks() async throws {
        let (server, client) = (try harness.bus(.cache), try harness.bus(.cli))
        let endpoint = try harness.endpoint()
        server.handle(VolumeDeleteRequest.self) { request, peer in
            #expect(
                peer
                    == BusPeer(
                        service: .cli, instance: client.identity.instance, softwareVersion: "1.2.3"))
            return .init(id: VolumeID(rawValue: UInt64(request.volume.text) ?? 0))
        }
        try await harness.serving(server, at: endpoint) {
            for number in UInt64(0)..<50 {
                let reply = try await client.request(
                    VolumeDeleteRequest(volume: VolumeReference("\(number)")), to: endpoint, deadline: .seconds(5))
                #expect(reply.id.rawValue == number)
            }
        }
        await client.close()
    }

    @Test func faultsArriveAsTheyWereThrown() async throws {
        let (server, client) = (try harness.bus(.cache), try harness.bus(.cli))
        let endpoint = try harness.endpoint()
        server.handle(VolumeDeleteRequest.self) { request, _ in
            if request.volume.text == "system" { throw SystemError(errorNumber: ENOSPC, call: "write", path: "/j") }
            throw BusFault(.unknownVolume, "no volume \(request.volume.text)")
        }
        try await harness.serving(server, at: endpoint) {
            await #expect(throws: BusFault(.unknownVolume, "no volume db")) {
                try await client.request(description("db"), to: endpoint, deadline: .seconds(5))
            }
            let unexpected = await #expect(throws: BusFault.self) {
                try await client.request(description("system"), to: endpoint, deadline: .seconds(5))
            }
            #expect(unexpected?.code == .internalError && unexpected?.message.contains("/j") == true)
            await #expect(throws: BusFault(.unsupportedKind, "cache does not serve snapshotList requests")) {
                try await client.request(SnapshotListRequest(), to: endpoint, deadline: .seconds(5))
            }
        }
        await client.close()
    }

    @Test func healthAndMetricsAreBuiltIn() async throws {
        let (server, client) = (try harness.bus(.uploader), try harness.bus(.exporter))
        let endpoint = try harness.endpoint()
        server.provideHealth { .init(isReady: false, detail: "waits for the bucket") }
        server.provideMetrics { [MetricFamily(name: "own", help: "", type: .gauge, samples: [.init(value: 4)])] }
        try await harness.serving(server, at: endpoint) {
            let health = try await client.request(HealthRequest(), to: endpoint, deadline: .seconds(5))
            #expect(health.service == .uploader && health.instance == server.identity.instance)
            #expect(!health.isReady && health.detail == "waits for the bucket" && health.processID == getpid())
            #expect(health.uptimeSeconds >= 0)
            let metrics = try await client.request(MetricsRequest(), to: endpoint, deadline: .seconds(5))
            #expect(metrics.families.last?.name == "own")
            let received = metrics.families.first { $0.name == "sluice_bus_messages_received_total" }
            #expect(received?.samples.first?.value ?? 0 >= 3)
        }
        await client.close()
    }

    @Test func aDeadlineSaysWhatToCheck() async throws {
        let client = try harness.bus(.cli)
        let absent = try harness.endpoint("absent")
        let noServer = await #expect(throws: BusFault.self) {
            try await client.request(VolumeListRequest(), to: absent, deadline: .milliseconds(50))
        }
        #expect(noServer?.code == .deadlineExceeded)
        #expect(noServer?.message.contains("no connection: check that the service runs") == true)
        let server = try harness.bus(.cache)
        let endpoint = try harness.endpoint()
        server.handle(VolumeListRequest.self) { _, _ in
            try await Task.sleep(for: .seconds(60))
            return .init(volumes: [])
        }
        try await harness.serving(server, at: endpoint) {
            let hanging = await #expect(throws: BusFault.self) {
                try await client.request(VolumeListRequest(), to: endpoint, deadline: .milliseconds(300))
            }
            #expect(hanging?.code == .deadlineExceeded)
            #expect(hanging?.message.contains("connected but did not answer") == true)
        }
        await client.close()
    }

    /// The first server dies with the request in its hands; the second gets it again.
    @Test func aRequestSurvivesTheServersRestart() async throws {
        let client = try harness.bus(.cli)
        let endpoint = try harness.endpoint()
        let (first, second) = (try harness.bus(.cache), try harness.bus(.cache))
        let hasArrived = AsyncStream.makeStream(of: Void.self)
        first.handle(VolumeDeleteRequest.self) { _, _ in
            hasArrived.continuation.yield()
            try await Task.sleep(for: .seconds(60))
            return .init(id: VolumeID(rawValue: 1))
        }
        second.handle(VolumeDeleteRequest.self) { _, _ in .init(id: VolumeID(rawValue: 2)) }
        let reply = start(description("db"), on: client, to: endpoint)
        try await harness.serving(first, at: endpoint) {
            for await _ in hasArrived.stream { break }
        }
        // ZeroMQ lets go of the socket file a little after its last user; another process would not see that.
        while endpoint.isServed() { await Task.yield() }
        try await harness.serving(second, at: endpoint) {
            let answered = try await reply.value.get()
            #expect(answered.id.rawValue == 2)
        }
        await client.close()
    }

    @Test func manyClientsAreServedAtOnce() async throws {
        let server = try harness.bus(.cache)
        let endpoint = try harness.endpoint()
        let count = Shared(0)
        server.handle(VolumeDeleteRequest.self) { request, _ in
            count.update { $0 += 1 }
            return .init(id: VolumeID(rawValue: UInt64(request.volume.text) ?? 0))
        }
        let harness = harness
        try await harness.serving(server, at: endpoint) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<10 {
                    group.addTask {
                        let bus = try harness.bus(.cli)
                        for index in 0..<20 {
                            let number = client * 100 + index
                            let reply = try await bus.request(
                                VolumeDeleteRequest(volume: VolumeReference("\(number)")), to: endpoint,
                                deadline: .seconds(20))
                            #expect(reply.id.rawValue == UInt64(number))
                        }
                        await bus.close()
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(count.value == 200)
    }

    @Test func aRepeatIsNotExecutedTwice() async throws {
        let server = try harness.bus(.cache)
        let endpoint = try harness.endpoint()
        let count = Shared(0)
        server.handle(VolumeDeleteRequest.self) { _, _ in
            count.update { $0 += 1 }
            return .init(id: VolumeID(rawValue: UInt64(count.value)))
        }
        try await harness.serving(server, at: endpoint) {
            let body = try MessageCoder.encode(VolumeDeleteRequest(volume: VolumeReference("db")))
            let request = RawPeer.message(.volumeDelete, body, requestID: 2, lowestOpenNumber: 2)
            _ = try await RawPeer.exchange(endpoint, [RawPeer.hello(), request], replies: 2)
            let again = try await RawPeer.exchange(endpoint, [request, request], replies: 2)
            for reply in again {
                #expect(try MessageCoder.decode(VolumeDeleteRequest.Reply.self, from: reply[1]).id.rawValue == 1)
            }
            #expect(again.count == 2)
        }
        #expect(count.value == 1)
    }

    @Test func aCancelledRequestReturnsAtOnce() async throws {
        let client = try harness.bus(.cli)
        let endpoint = try harness.endpoint("absent")
        let task = start(VolumeListRequest(), on: client, to: endpoint)
        task.cancel()
        let result = await task.value
        #expect(throws: BusFault(.cancelled, "the request was cancelled")) { try result.get() }
        await client.close()
    }

    @Test func shuttingDownFailsWhatWaitsAndWhatComesLater() async throws {
        let client = try harness.bus(.cli)
        let endpoint = try harness.endpoint("absent")
        let waiting = start(VolumeListRequest(), on: client, to: endpoint)
        client.shutdown()
        let result = await waiting.value
        #expect(throws: BusFault(.cancelled, "the bus of this process is shut down")) { try result.get() }
        await client.close()
        await #expect(throws: BusFault(.cancelled, "the bus of this process is shut down")) {
            try await client.request(VolumeListRequest(), to: endpoint, deadline: .seconds(600))
        }
        await #expect(throws: BusError.isShutDown) { try await client.bind(endpoint) }
        await #expect(throws: BusError.isShutDown) { try await client.open(endpoint) }
    }

    @Test func cancellingRunShutsDown() async throws {
        let bus = try harness.bus(.cache)
        let task = Task { await bus.run() }
        task.cancel()
        await task.value
        await #expect(throws: BusError.isShutDown) { try await bus.bind(harness.endpoint()) }
    }

    @Test func whoHasNoBusinessWithARequestIsRefused() async throws {
        let (server, exporter) = (try harness.bus(.cache), try harness.bus(.exporter))
        let endpoint = try harness.endpoint()
        server.handle(VolumeListRequest.self) { _, _ in .init(volumes: []) }
        try await harness.serving(server, at: endpoint) {
            let fault = await #expect(throws: BusFault.self) {
                try await exporter.request(VolumeListRequest(), to: endpoint, deadline: .seconds(5))
            }
            #expect(fault?.code == .unsupportedKind && fault?.message.contains("exporter") == true)
            _ = try await exporter.request(MetricsRequest(), to: endpoint, deadline: .seconds(5))
        }
        await exporter.close()
    }

    @Test func anEndpointInUseIsNotTakenAway() async throws {
        let (server, other) = (try harness.bus(.cache), try harness.bus(.cli))
        let endpoint = try harness.endpoint()
        server.handle(VolumeListRequest.self) { _, _ in .init(volumes: []) }
        try await harness.serving(server, at: endpoint) {
            await #expect(throws: BusError.inUse(endpoint)) { try await other.bind(endpoint) }
            _ = try await other.request(VolumeListRequest(), to: endpoint, deadline: .seconds(5))
        }
        await other.close()
    }

    @Test func aMissingDirectoryIsAClearError() async throws {
        let bus = try harness.bus(.cache)
        let endpoint = try Endpoint(path: harness.directory.path + "/missing/bus")
        let error = await #expect(throws: BusError.self) { try await bus.bind(endpoint) }
        #expect(error?.description.contains("cannot bind \(endpoint)") == true)
        await bus.close()
    }

    @Test func theSocketIsForItsOwnerOnly() async throws {
        let server = try harness.bus(.cache)
        let endpoint = try harness.endpoint()
        try await harness.serving(server, at: endpoint) {
            var information = stat()
            let path = try #require(endpoint.path)
            #expect(unsafe stat(path, &information) == 0)
            #expect(information.st_mode & 0o777 == 0o600)
        }
    }
}
