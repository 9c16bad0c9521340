// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Keeps a link to every cache manager of the gateway, looks for new ones once a second, and at the end answers what it
/// has begun before it lets go.
struct UploadService: Service, CustomStringConvertible {
    private static let interval = Duration.seconds(1)

    private let bus: BusThread
    private let directory: ServiceDirectory
    private let runner: JobRunner
    private let state: UploaderState
    private let health: ServiceHealth
    private let logger: Logger

    init(_ context: ServiceContext, runner: JobRunner, state: UploaderState) {
        bus = context.bus
        directory = context.directory
        health = context.health
        logger = context.logger
        self.runner = runner
        self.state = state
    }

    var description: String { "uploads" }

    func run() async throws {
        let (ticks, sink) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let state = state
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        sink.yield()
                        try? await Task.sleep(for: Self.interval)
                    }
                }
                await serve(ticks)
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            state.stop()
            sink.yield()
        }
    }

    private func serve(_ ticks: AsyncStream<Void>) async {
        await withDiscardingTaskGroup { group in
            var links: [Endpoint: CacheManagerLink] = [:]
            for await _ in ticks {
                if state.isStopping { break }
                await refresh(&links) { link in group.addTask { await link.run() } }
                for link in links.values { await link.announce() }
                reportHealth()
            }
            state.stop()
            reportHealth()
            for link in links.values { await link.announce() }
            await state.idle()
            for link in links.values { link.close() }
        }
    }

    /// Opens links to cache managers that are new in the directory, closes those to ones that have left it.
    private func refresh(_ links: inout [Endpoint: CacheManagerLink], start: (CacheManagerLink) -> Void) async {
        let endpoints: Set<Endpoint>
        do {
            endpoints = Set(try await directory.entries(of: .cache).compactMap(\.endpoint))
        } catch {
            // Gone for a moment, perhaps: what is connected stays so.
            return logger.warning("cache managers cannot be looked for", metadata: ["error": "\(error)"])
        }
        for (endpoint, link) in links where !endpoints.contains(endpoint) {
            link.close()
            links[endpoint] = nil
        }
        for endpoint in endpoints where links[endpoint] == nil {
            do {
                let channel = try await bus.open(endpoint)
                let link = CacheManagerLink(channel: channel, runner: runner, state: state, logger: logger)
                links[endpoint] = link
                start(link)
            } catch {
                logger.error(
                    "cache manager cannot be connected to",
                    metadata: ["endpoint": "\(endpoint)", "error": "\(error)"])
            }
        }
    }

    private func reportHealth() {
        let (isReady, detail) = state.report()
        health.set(ready: isReady, detail)
    }
}
