// SPDX-License-Identifier: Apache-2.0
import Messages
package import ServiceKit

/// Is every service of the gateway able to work? For load balancers and container health checks.
package struct HealthReport: Equatable, Sendable {
    package struct Line: Equatable, Sendable {
        package var name: String
        package var isReady: Bool
        package var detail: String
    }
    package var lines: [Line]
    package var isHealthy: Bool { lines.allSatisfy(\.isReady) }

    package static func collect(
        from directory: ServiceDirectory, caller: any ServiceCaller, timeout: Duration = .seconds(2)
    ) async -> HealthReport {
        let entries = ((try? await directory.entries()) ?? []).filter { !$0.isOwn }
        let lines = await withTaskGroup(of: Line.self) { group in
            for entry in entries { group.addTask { await line(for: entry, caller: caller, timeout: timeout) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        return HealthReport(lines: lines.sorted { $0.name < $1.name })
    }

    private static func line(
        for entry: ServiceEntry, caller: any ServiceCaller, timeout: Duration
    ) async -> Line {
        guard entry.isRunning else { return Line(name: entry.name, isReady: false, detail: entry.absence) }
        do {
            let reply = try await caller.call(HealthRequest(), at: entry, timeout: timeout)
            return Line(name: entry.name, isReady: reply.isReady, detail: reply.detail)
        } catch {
            return Line(name: entry.name, isReady: false, detail: error.message)
        }
    }

    /// One line a service: `cache-0 ready: 3 volumes`.
    package var text: String {
        guard !lines.isEmpty else { return "no other service\n" }
        return lines.map { "\($0.name) \($0.isReady ? "ready" : "NOT READY"): \($0.detail)\n" }.joined()
    }
}
