// SPDX-License-Identifier: Apache-2.0
import Messages
import Wire

/// docs/METRICS.md, made from the table of metrics: `sluice config metrics --markdown` prints it, and a test holds the
/// file to it.
package enum MetricsDocument {
    package static var markdown: String {
        ([introduction] + Metric.groups.map(section) + [AmazonMetrics.markdown]).joined(separator: "\n")
    }

    private static func section(_ group: Metric.Group) -> String {
        let rows = group.metrics.map { metric in
            let cells = [
                "`\(metric.name)`", word(for: metric.type), metric.unit,
                metric.labels.map { "`\($0)`" }.joined(separator: " "), metric.help + gatewayNote(metric),
            ]
            return "| " + cells.map { $0.isEmpty ? "–" : $0 }.joined(separator: " | ") + " |\n"
        }
        return "## \(group.title)\n\n| name | type | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n"
            + rows.joined()
    }

    private static func gatewayNote(_ metric: Metric) -> String {
        guard let ofGateway = metric.ofGateway else { return "" }
        let scope =
            switch metric.total {
            case .largest: "the largest of all volumes"
            case .whole: "all volumes together"
            case .sum, nil: "the sum of all volumes"
            }
        return " `\(ofGateway.name)`: \(scope)."
    }

    private static func word(for type: Metric.MetricType) -> String {
        switch type {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    private static var introduction: String {
        """
        # Metrics

        Made from the table in `Shared/Messages/Metrics` by `make metrics-document`; do not edit it by hand.

        `sluice-exporter` asks every service when it is scraped, and serves `/metrics` at `exporter.listen`. A service
        that is dead, or does not answer within 2 s, has `sluice_service_up` 0 and costs the page its own figures only.

        Every sample has the labels `service` (\(services))
        and `process` (`cache-0`, the process's name in logs and `sluice status`). Those of volumes have `volume` (the
        id) and `name`.

        Those named `sluice_gateway_` are of all volumes of one cache manager; where a gateway has several, add them up,
        or take the largest.

        Counters start at 0 with their process, those of a volume when it is opened; `rate()` and `increase()` know
        that. Histograms have the buckets
        \(bounds.prefix(10).joined(separator: " "))
        \(bounds.dropFirst(10).joined(separator: " "))
        and `+Inf`, in seconds.

        `operation` of volumes, commands and initiators is `read`, `write`, `flush` or `other`: UNMAP, WRITE SAME and
        COMPARE AND WRITE. Commands that the volume has nothing to do with, such as INQUIRY, are not counted.

        At most 256 initiators are told apart by `initiator`. When another comes, the one whose last session ended
        first becomes a part of `other`; if all have sessions, the newcomer does.

        A restart that was asked for does not count in `sluice_service_restarts_total`, which also starts again when
        the run directory is removed, such as at a reboot or with its container;
        `changes(sluice_service_start_time_seconds[1h])` sees every restart.

        The compression ratio is `rate(sluice_volume_packed_source_bytes_total[1h])` divided by
        `rate(sluice_volume_packed_bytes_total[1h])`.

        """
    }

    private static var services: String {
        ServiceKind.supervised.map { "`\($0.shortName)`" }.joined(separator: ", ")
    }

    private static var bounds: [String] { LatencyHistogram.upperBoundSeconds.map { "`\($0)`" } }
}
