// SPDX-License-Identifier: Apache-2.0
package import Messages
package import ObjectStorage
import Wire

/// A service's traffic with its bucket, in Prometheus's terms.
package enum ObjectStoreMetrics {
    package static func families(_ totals: RequestMeter.Totals) -> [MetricFamily] {
        let operations = RequestMeter.Operation.allCases
        var requests: [MetricFamily.Sample] = []
        for operation in operations {
            for outcome in RequestMeter.Outcome.allCases {
                guard let count = totals.requests[operation]?[outcome] else { continue }
                requests.append(
                    .init(
                        labels: ["operation": operation.rawValue, "outcome": outcome.rawValue], value: Double(count)))
            }
        }
        let durations = operations.map { operation in
            MetricFamily.Sample(
                labels: ["operation": operation.rawValue], totals.latencies[operation] ?? LatencyHistogram())
        }
        return [
            MetricFamily(.objectStoreRequests, requests),
            MetricFamily(.objectStoreSeconds, durations),
            MetricFamily(.objectStoreUploaded, totals.uploadedByteCount),
            MetricFamily(.objectStoreDownloaded, totals.downloadedByteCount),
        ]
    }
}
