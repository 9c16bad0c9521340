// SPDX-License-Identifier: Apache-2.0

/// One row of the table of all metrics: what a service calls it, what Prometheus is told of it, and what
/// docs/METRICS.md says. A name is a promise to dashboards and alerts.
package struct Metric: Sendable, Equatable {
    package typealias MetricType = MetricFamily.MetricType
    /// How a figure of volumes becomes one of the gateway.
    package enum Total: Sendable { case sum, largest, whole }

    package let name: String
    package let type: MetricType
    package let help: String
    /// Besides `service` and `process`, which the exporter adds to every sample.
    package let labels: [String]
    /// What AWS's volume gateway calls it, if it has it.
    package let aws: String?
    /// nil: there is no figure of the gateway under the same name.
    package let total: Total?

    init(
        _ name: String, _ type: MetricType, _ help: String, labels: [String] = [], aws: String? = nil,
        total: Total? = nil
    ) {
        self.name = "sluice_" + name
        self.type = type
        self.help = help
        self.labels = labels
        self.aws = aws
        self.total = total
    }

    /// The same of all volumes of a gateway: `sluice_volume_x` and `sluice_x` become `sluice_gateway_x`.
    package var ofGateway: Metric? {
        guard let total else { return nil }
        let scope =
            switch total {
            case .sum: "All volumes."
            case .largest: "The largest of all volumes."
            case .whole: "All volumes together."
            }
        let ownName = name.dropFirst("sluice_".count)
        let bareName = ownName.hasPrefix("volume_") ? ownName.dropFirst("volume_".count) : ownName
        return Metric("gateway_" + bareName, type, "\(help) \(scope)", aws: aws)
    }

    package var unit: String {
        if name.contains("_seconds") { return "seconds" }
        if name.contains("_bytes") { return "bytes" }
        if name.contains("percent") { return "percent" }
        return "count"
    }

    /// The metrics of one kind of service.
    package struct Group: Sendable {
        package let title: String
        /// nil: every service has them.
        package let source: ServiceKind?
        package let metrics: [Metric]
    }

    package static let groups = [
        Group(title: "Volumes", source: .cache, metrics: volumes),
        Group(title: "Snapshots on their way", source: .cache, metrics: pendingSnapshots),
        Group(title: "The read cache", source: .cache, metrics: readCache),
        Group(title: "The cache manager", source: .cache, metrics: cacheManager),
        Group(title: "The iSCSI frontend", source: .iscsi, metrics: frontend),
        Group(title: "Initiators", source: .iscsi, metrics: initiators),
        Group(title: "The uploader", source: .uploader, metrics: uploader),
        Group(title: "Snapshots in the bucket", source: .snapshotter, metrics: snapshotter),
        Group(title: "Requests to the bucket (uploader and snapshotter)", source: .uploader, metrics: objectStore),
        Group(title: "The exporter", source: .exporter, metrics: exporter),
        Group(title: "Every service", source: nil, metrics: everyService),
    ]

    /// Every name that can be on the page, those of the gateway included.
    package static let all = groups.flatMap(\.metrics).flatMap { [$0] + ($0.ofGateway.map { [$0] } ?? []) }
}
