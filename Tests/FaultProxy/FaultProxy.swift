// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A proxy for HTTP/1.1 on loopback that harms what passes through it, by plan and seed (CONTRIBUTING.md).
///
/// The owner calls `stop`; until then the proxy's one task holds all connections and late deliveries as child tasks.
package final class FaultProxy: Sendable {
    package let upstream: UpstreamAddress
    private let script: FaultScript
    private let listener: ProxyListener
    private let manual = ManualOutage()
    private let task: Task<Void, Never>

    /// Listens as soon as this returns, unless the plan begins with an outage.
    /// - Parameters:
    ///   - upstream: the server, as `http://127.0.0.1:8333`.
    ///   - port: 0 for any free one.
    package static func start(
        upstream: String, plan: FaultPlan = .none, seed: UInt64 = 1, port: UInt16 = 0
    ) async throws(FaultProxyError) -> FaultProxy {
        let proxy = FaultProxy(
            upstream: try UpstreamAddress(upstream), script: FaultScript(plan: plan, seed: seed),
            listener: try ProxyListener(port: port))
        try await proxy.followOutages()
        return proxy
    }

    private init(upstream: UpstreamAddress, script: FaultScript, listener: ProxyListener) {
        self.upstream = upstream
        self.script = script
        self.listener = listener
        let outages = OutageKeeper(script: script, listener: listener, manual: manual)
        task = Task.detached {
            await withDiscardingTaskGroup { group in
                group.addTask { await outages.run() }
                for await client in listener.connections {
                    let connection = ProxyConnection(client: client, upstream: upstream, script: script)
                    group.addTask { await connection.serve() }
                }
                group.cancelAll()
            }
        }
    }

    package var port: UInt16 { listener.port }
    /// What clients are to be given instead of the server's address.
    package var endpoint: String { "http://127.0.0.1:\(port)" }
    package var counters: FaultCounters { script.counters }

    /// Replaces the plan: the next request has index 0, windows count from now, counters go on.
    package func install(_ plan: FaultPlan, seed: UInt64 = 1) async throws(FaultProxyError) {
        script.install(plan, seed: seed)
        try await followOutages()
    }

    /// Refuses everything from now on, whatever the plan says.
    package func beginOutage() async throws(FaultProxyError) {
        manual.set(true)
        try await followOutages()
    }

    package func endOutage() async throws(FaultProxyError) {
        manual.set(false)
        try await followOutages()
    }

    /// Waits until no exchange is under way and no copy of a request is still to be delivered.
    package func drain() async throws {
        while counters.open > 0 || counters.latePending > 0 { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Resets all connections and gives up what was to be delivered later.
    package func stop() async {
        task.cancel()
        await listener.finish()
        await task.value
    }

    private func followOutages() async throws(FaultProxyError) {
        try await OutageKeeper(script: script, listener: listener, manual: manual).follow()
    }
}

/// Scopes a proxy to one test: it is stopped however the body ends.
package func withFaultProxy<Result: Sendable>(
    upstream: String, plan: FaultPlan = .none, seed: UInt64 = 1, _ body: (FaultProxy) async throws -> Result
) async throws -> Result {
    let proxy = try await FaultProxy.start(upstream: upstream, plan: plan, seed: seed)
    do {
        let result = try await body(proxy)
        await proxy.stop()
        return result
    } catch {
        await proxy.stop()
        throw error
    }
}
