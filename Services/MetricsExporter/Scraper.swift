// SPDX-License-Identifier: Apache-2.0
import Messages
package import ServiceKit

/// Asks every service of the gateway for its figures, all at once, and makes one page of the answers. A service
/// that is dead or stuck costs the page its figures, never its time: the deadline is well below Prometheus's.
package struct Scraper: Sendable {
    private let directory: ServiceDirectory
    private let caller: any ServiceCaller
    /// The exporter's own name, where the directory does not show it; it does not ask itself.
    private let ownName: String
    private let process: ProcessMetrics
    private let timeout: Duration

    package init(
        directory: ServiceDirectory, caller: any ServiceCaller, ownName: String, process: ProcessMetrics,
        timeout: Duration = .seconds(2)
    ) {
        self.directory = directory
        self.caller = caller
        self.ownName = ownName
        self.process = process
        self.timeout = timeout
    }

    private struct Scrape: Sendable {
        var entry: ServiceEntry
        /// nil: the service did not answer.
        var families: [MetricFamily]?
    }

    package func page() async -> String {
        let entries = (try? await directory.entries()) ?? []
        let scrapes = await withTaskGroup(of: Scrape.self) { group in
            for entry in entries where !entry.isOwn { group.addTask { await scrape(entry) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        return render(scrapes, ownName: entries.first(where: \.isOwn)?.name ?? ownName)
    }

    private func scrape(_ entry: ServiceEntry) async -> Scrape {
        guard entry.isRunning else { return Scrape(entry: entry, families: nil) }
        do {
            let reply = try await caller.call(MetricsRequest(), at: entry, timeout: timeout)
            return Scrape(entry: entry, families: reply.families)
        } catch {
            return Scrape(entry: entry, families: nil)
        }
    }

    private func render(_ scrapes: [Scrape], ownName: String) -> String {
        var text = PrometheusText()
        var leftOut = 0
        for scrape in scrapes {
            let labels = Self.labels(kind: scrape.entry.kind, name: scrape.entry.name)
            leftOut += text.add([Self.up(scrape.families != nil)], labels: labels)
            leftOut += text.add(scrape.families ?? [], labels: labels)
        }
        let own = Self.labels(kind: .exporter, name: ownName)
        leftOut += text.add([Self.up(true)] + process.families + MachineMetrics.families, labels: own)
        _ = text.add([MetricFamily(.samplesLeftOut, leftOut)], labels: own)
        return text.render()
    }

    private static func up(_ isUp: Bool) -> MetricFamily {
        MetricFamily(.serviceUp, isUp ? 1 : 0)
    }

    private static func labels(kind: ServiceKind, name: String) -> [String: String] {
        ["service": kind.shortName, "process": name]
    }
}
