// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import ServiceLifecycle

/// Collects the figures of all services of a gateway when it is asked, and serves them to Prometheus.
@main
struct MetricsExporterMain: ServiceCommand {
    static let kind = ServiceKind.exporter
    static let directories: [DirectoryUse] = []
    static let configuration = commandConfiguration("Serve the gateway's metrics to Prometheus.")
    @OptionGroup var options: ConfigurationOptions

    func makeServices(_ context: ServiceContext) async throws -> [any Service] {
        let (directory, caller) = (context.directory, context.caller)
        let scraper = Scraper(
            directory: directory, caller: caller, ownName: context.slot.name, process: context.process)
        return [
            MetricsServer(
                address: context.configuration.exporterListen, scraper: scraper,
                healthReport: { await HealthReport.collect(from: directory, caller: caller) },
                health: context.health, logger: context.logger)
        ]
    }
}
