// SPDX-License-Identifier: Apache-2.0
import Logging
import Platform
import ServiceKit
import ServiceLifecycle
import Synchronization
import Testing

struct ThreadServiceTests {
    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
        func set() { value.store(true, ordering: .sequentiallyConsistent) }
    }

    /// Says that the group runs.
    private struct Announcer: Service {
        let started: AsyncStream<Void>.Continuation
        func run() async throws {
            started.yield()
            try await gracefulShutdown()
        }
    }

    @Test func theGroupEndsWhenTheThreadHas() async throws {
        let commands = BlockingQueue<Void>(capacity: 1)
        let hasEnded = Flag()
        let thread = try IOThread(name: "test") {
            _ = commands.pop()
            hasEnded.set()
        }
        let (started, announce) = AsyncStream.makeStream(of: Void.self)
        let group = ServiceGroup(
            services: [ThreadService(thread) { _ = commands.push(()) }, Announcer(started: announce)],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        async let ending: Void = group.run()
        for await _ in started { break }
        await group.triggerGracefulShutdown()
        try await ending
        #expect(hasEnded.isSet, "the thread was waited for")
    }
}
