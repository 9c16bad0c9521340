// SPDX-License-Identifier: Apache-2.0
import Bus
import Dispatch
import Glibc
import ISCSIFrontend
import Logging
import Messages
import Platform
import ServiceKit
import Synchronization
import TestInitiator
import Wire

/// A whole frontend on a port of its own, with a cache manager in memory that may die.
final class FrontendHarness: Sendable {
    let volume: MemoryVolume
    let port: UInt16
    let cacheEndpoint: Endpoint
    /// Known to the frontend as soon as somebody has listened there.
    let otherCacheEndpoint: Endpoint
    let controlEndpoint: Endpoint
    private let directory: String
    private let service: FrontendService

    private init(_ volume: MemoryVolume, commandHold: Duration, adjust: (inout FrontendLimits) -> Void) throws {
        self.volume = volume
        directory = "/tmp/sluice-frontend-\(hexadecimal(Randomness.uint64(), digits: 16))"
        guard unsafe mkdir(directory, 0o700) == 0 else { throw SystemError.last("mkdir", path: directory) }
        cacheEndpoint = try Endpoint(path: directory + "/cache.sock")
        otherCacheEndpoint = try Endpoint(path: directory + "/other.sock")
        controlEndpoint = try Endpoint(path: directory + "/iscsi.sock")
        let listeners = try TCPSocket.listen(host: "127.0.0.1", port: 0)
        port = SocketAddress.local(of: listeners[0])?.port ?? 0
        var gateway = GatewayConfiguration()
        gateway.iscsiCommandHold = commandHold
        var configuration = FrontendConfiguration(gateway)
        adjust(&configuration.limits)
        service = try FrontendService(
            FrontendParts(
                configuration: configuration,
                identity: BusIdentity(
                    service: .iscsi, instance: ServiceInstance(rawValue: Randomness.nonzeroUInt64()),
                    softwareVersion: "test"),
                locateCaches: { [cacheEndpoint, path = directory + "/other.sock", otherCacheEndpoint] in
                    FileSystem.exists(path) ? [cacheEndpoint, otherCacheEndpoint] : [cacheEndpoint]
                }, controlEndpoints: [controlEndpoint],
                listeners: listeners,
                context: try BusContext(), health: ServiceHealth(),
                process: ProcessMetrics(startedAt: .now()), logger: Self.quietLogger))
    }

    static var quietLogger: Logger {
        Logger(label: "frontend") { _ in SwiftLogNoOpLogHandler() }
    }

    /// Runs `body` beside a running frontend, and ends the frontend behind it.
    static func run(
        volume: MemoryVolume = MemoryVolume(), commandHold: Duration = .seconds(20),
        adjust: (inout FrontendLimits) -> Void = { $0.stopSeconds = 0 },
        _ body: @escaping @Sendable (FrontendHarness) throws -> Void
    ) async throws {
        let harness = try FrontendHarness(volume, commandHold: commandHold, adjust: adjust)
        defer { harness.removeFiles() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await harness.service.run() }
            // The body blocks, so it has a thread of its own.
            let result = await harness.onThread { Result { try body(harness) } }
            group.cancelAll()
            try await group.waitForAll()
            try result.get()
        }
    }

    private func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            do {
                _ = try IOThread(name: "test") { continuation.resume(returning: work()) }
            } catch {
                preconditionFailure("\(error)")
            }
        }
    }

    private func removeFiles() {
        for path in [cacheEndpoint, otherCacheEndpoint, controlEndpoint].compactMap(\.path) { unsafe unlink(path) }
        unsafe rmdir(directory)
    }

    func cacheManager(_ manner: MemoryCacheManager.Manner = .init()) throws -> MemoryCacheManager {
        try MemoryCacheManager(volume, at: cacheEndpoint, manner)
    }

    func otherCacheManager(_ manner: MemoryCacheManager.Manner = .init()) throws -> MemoryCacheManager {
        try MemoryCacheManager(volume, at: otherCacheEndpoint, manner)
    }

    /// What the frontend tells the exporter, by name.
    func metrics() throws -> [String: MetricFamily] {
        let bus = try BusThread(
            identity: BusIdentity(
                service: .exporter, instance: ServiceInstance(rawValue: Randomness.nonzeroUInt64()),
                softwareVersion: "test"), logger: Self.quietLogger)
        let answer = Answer()
        let endpoint = controlEndpoint
        Task {
            do {
                let reply = try await bus.request(MetricsRequest(), to: endpoint, deadline: .seconds(10))
                answer.give(.success(reply.families))
            } catch {
                answer.give(.failure(error))
            }
            await bus.close()
        }
        return Dictionary(uniqueKeysWithValues: try answer.wait().map { ($0.name, $0) })
    }

    /// What an asynchronous call returns, for a thread that may wait.
    private final class Answer: Sendable {
        private let value = Mutex<Result<[MetricFamily], any Error>?>(nil)
        private let isThere = DispatchSemaphore(value: 0)

        func give(_ result: Result<[MetricFamily], any Error>) {
            value.withLock { $0 = result }
            isThere.signal()
        }

        func wait() throws -> [MetricFamily] {
            isThere.wait()
            return try value.withLock { $0 }?.get() ?? []
        }
    }

    func initiator(_ number: Int = 1, isid: UInt64? = nil) -> Initiator {
        Initiator(
            host: "127.0.0.1", port: port, name: "iqn.2026-11.com.example:host-\(number)",
            isid: isid ?? UInt64(0x8000_0000_0000) + UInt64(number), timeoutSeconds: 10)
    }

    /// Logs in as soon as the frontend knows its targets.
    func loggedIn(_ number: Int = 1, isid: UInt64? = nil) throws -> Initiator {
        let initiator = initiator(number, isid: isid)
        for _ in 0..<500 {
            do throws(InitiatorError) {
                try initiator.login(target: volume.name)
                return initiator
            } catch {
                guard error == .loginRefused(status: 0x0301) else { throw error }
                usleep(10_000)
            }
        }
        throw InitiatorError.connectionLost("the target does not come up")
    }
}
