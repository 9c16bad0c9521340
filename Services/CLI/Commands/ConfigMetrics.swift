// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit

/// What the exporter can serve, without a gateway: for whoever writes alerts and dashboards.
struct ConfigMetrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "List every metric with its type, labels and meaning.")
    @Flag(name: .long, help: "Print docs/METRICS.md.") var markdown = false
    @OptionGroup var output: OutputOptions

    /// A metric as `--json` shows it. Names are a promise to scripts.
    private struct Record: Encodable {
        var name: String
        var type: String
        var unit: String
        var labels: [String]
        var help: String
    }

    func run() throws {
        if markdown { return print(MetricsDocument.markdown, terminator: "") }
        let records = Metric.all.map { metric in
            Record(
                name: metric.name, type: "\(metric.type)", unit: metric.unit, labels: metric.labels,
                help: metric.help)
        }
        try output.show(records, or: records.map { "\($0.name)  (\($0.type), \($0.unit))\n    \($0.help)\n" }.joined())
    }
}
