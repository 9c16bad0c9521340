// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit
import ServiceLifecycle

/// Collects the figures of all services of a machine when it is asked, and serves them to Prometheus.
@main
struct MetricsExporterMain: ServiceCommand {
    static let kind = ServiceKind.exporter
    static let directories: [DirectoryUse] = []
    static let configuration = commandConfiguration("Serve the gateway's metrics to Prometheus.")
    @OptionGroup var options: ConfigurationOptions

    func makeServices(_ context: ServiceContext) async throws -> [any Service] {
        let (run, name, caller) = (context.runDirectory, context.slot.name, context.caller)
        let scraper = Scraper(runDirectory: run, caller: caller, ownName: name, process: context.process)
        return [
            MetricsServer(
                address: context.configuration.exporterListen, scraper: scraper,
                healthReport: { await HealthReport.collect(from: run, except: name, caller: caller) },
                health: context.health, logger: context.logger)
        ]
    }
}
