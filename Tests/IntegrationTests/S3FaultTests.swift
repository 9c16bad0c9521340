// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import ObjectStorage
import S3
import S3Servers
import Testing
import Wire

/// The S3 store when the way to the server does harm: what it makes of an answer that is late, lost or damaged.
@Suite(.serialized, .timeLimit(.minutes(2))) struct S3FaultTests {
    private static let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    private let key = ObjectKey("volumes/a")

    /// - Parameter plain: the same prefix without the proxy.
    private func with(
        _ rules: [FaultRule],
        _ body: (_ store: any ObjectStore, _ plain: any ObjectStore, _ proxy: FaultProxy) async throws -> Void
    ) async throws {
        let server = try S3Server.shared(.seaweedFS)
        let prefix = server.freshPrefix()
        let plain = try S3Fixture(server: server, prefix: prefix).openStore()
        try await withFaultProxy(upstream: server.endpoint, plan: FaultPlan(rules)) { proxy in
            let store = try S3Fixture(server: server, prefix: prefix, endpoint: proxy.endpoint).openStore()
            try await body(store, plain, proxy)
        }
    }

    /// What sends nothing for longer than a pause may last is taken for a hang; an upload that moves is not.
    @Test func anUploadMayTakeLongerThanAnyPause() async throws {
        let bytes = [UInt8]((0..<9).map { _ in Self.bytes }.joined())
        try await with([FaultRule(.slowBody(bytesPerSecond: 512 << 10, .request), methods: ["PUT"])]) {
            store, plain, proxy in
            let begin = ContinuousClock.now
            _ = try await store.put(key, bytes, .absent)
            #expect(ContinuousClock.now - begin > .seconds(16))
            let stored = try await plain.get(key)
            #expect(stored.bytes == bytes)
            try await proxy.drain()
            #expect(proxy.counters[.slowBody] == 1)
        }
    }

    @Test func anOverloadedStoreIsAskedAgain() async throws {
        try await with([FaultRule(.status(code: 503, retryAfterSeconds: 1), burst: 3, limit: 3)]) { store, plain, _ in
            let policy = RetryPolicy(deadline: .seconds(20))
            _ = try await policy.run(clock: ContinuousClock()) { () throws(ObjectStoreError) in
                try await store.put(key, Self.bytes, .absent)
            }
            let stored = try await plain.get(key)
            #expect(stored.bytes == Self.bytes)
        }
    }

    @Test func aLostAnswerToAWriteSaysThatItMayHaveHappened() async throws {
        try await with([FaultRule(.lostReply, methods: ["PUT"], limit: 1)]) { store, plain, _ in
            let error = await #expect(throws: ObjectStoreError.self) {
                _ = try await store.put(key, Self.bytes, .absent)
            }
            #expect(error == .ambiguous(key, .replyLost))
            let stored = try await plain.get(key)
            #expect(stored.bytes == Self.bytes)
        }
    }

    @Test(arguments: [FaultRule(.truncate(keep: 5000)), FaultRule(.reset(.body)), FaultRule(.flipBits(count: 3))])
    func whatComesShortOrDamagedIsNoAnswer(_ rule: FaultRule) async throws {
        try await with([]) { store, plain, proxy in
            _ = try await plain.put(key, Self.bytes, .absent)
            try await proxy.install(FaultPlan([rule]))
            let error = await #expect(throws: ObjectStoreError.self) { _ = try await store.get(key) }
            #expect(error?.disposition != .refuse, "\(String(describing: error))")
            try await proxy.install(.none)
            let whole = try await store.get(key)
            #expect(whole.bytes == Self.bytes)
        }
    }

    @Test func aConditionThatIsSignedCannotBeStripped() async throws {
        try await with([FaultRule(.stripPreconditions)]) { store, plain, proxy in
            _ = try await plain.put(key, Self.bytes, .absent)
            await #expect(throws: ObjectStoreError.preconditionFailed(key)) {
                _ = try await store.put(key, [1], .absent)
            }
            try await proxy.drain()
            #expect(proxy.counters[.stripPreconditions] == 0)
        }
    }
}
