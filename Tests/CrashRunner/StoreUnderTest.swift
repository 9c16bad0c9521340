// SPDX-License-Identifier: Apache-2.0
import FaultProxy
import GatewayHarness
import S3Servers

/// A SeaweedFS of the run's own, with or without a proxy before it that does harm.
struct StoreUnderTest: Sendable {
    /// Everything that a network and a busy or dying server may do. Left out is what no client can withstand: a server
    /// that forgets preconditions, and bits that flip in an upload (SeaweedFS refuses those by their checksum anyway).
    ///
    /// A few requests pass each second while services are killed and some thousand afterwards, when everything is read
    /// back: the shares are such that a short run meets most kinds, and that a long one does not wait for hangs only.
    static let harm = """
        latency       delay=20ms jitter=400ms rate=0.15
        status        code=503 retry-after=1 rate=0.02 burst=4
        status        code=429 rate=0.02 burst=3
        status        code=500 rate=0.02
        lost-reply    methods=PUT rate=0.04
        late-delivery methods=PUT after=4s rate=0.02
        duplicate     methods=PUT after=3s rate=0.04
        reset         stage=before rate=0.02
        reset         stage=after rate=0.02
        reset         stage=body methods=GET rate=0.02
        truncate      methods=GET keep=1000 rate=0.03
        flip-bits     methods=GET bits=3 rate=0.03
        hang          stage=reply rate=0.002
        hang          stage=applied methods=PUT rate=0.004
        hang          stage=upload methods=PUT rate=0.004
        hang          stage=body methods=GET rate=0.001
        slow-body     bytes-per-second=200k direction=response methods=GET rate=0.02
        outage        from=20s to=24s period=60s
        """

    let bucket: GatewayUnderTest.S3Bucket
    private let server: S3Server
    private let proxy: FaultProxy?

    /// - Parameter plan: nil for no proxy.
    static func start(plan: FaultPlan?, seed: UInt64) async throws -> StoreUnderTest {
        let server = try S3Server.start(.seaweedFS)
        var proxy: FaultProxy?
        if let plan { proxy = try await FaultProxy.start(upstream: server.endpoint, plan: plan, seed: seed) }
        return StoreUnderTest(
            bucket: GatewayUnderTest.S3Bucket(
                endpoint: proxy?.endpoint ?? server.endpoint, name: server.bucket, prefix: server.freshPrefix(),
                accessKey: server.accessKey, secretKey: server.secretKey), server: server, proxy: proxy)
    }

    func stop() async {
        await proxy?.stop()
        server.stop()
    }

    /// - Throws: if the run proves nothing because nothing was harmed, or because the server was no longer there.
    func checkFaults() throws {
        guard let proxy else { return }
        let counters = proxy.counters
        say("the proxy: \(counters.json)")
        guard counters.injected.values.contains(where: { $0 > 0 }) else {
            throw CrashRun.Failure(description: "no fault was injected: the run proves nothing about faults")
        }
        guard server.isRunning else { throw CrashRun.Failure(description: "SeaweedFS has ended:\n\(server.log)") }
    }
}
