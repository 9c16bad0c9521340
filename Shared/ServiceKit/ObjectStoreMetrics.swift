// SPDX-License-Identifier: Apache-2.0
package import Messages
package import ObjectStorage

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
                labels: ["operation": operation.rawValue], value: seconds(totals.durations[operation] ?? .zero))
        }
        return [
            MetricFamily(
                name: "sluice_object_store_requests_total", help: "Requests to the bucket by how they ended.",
                type: .counter, samples: requests),
            MetricFamily(
                name: "sluice_object_store_request_seconds_total",
                help: "Time that requests to the bucket took, all together.", type: .counter, samples: durations),
            MetricFamily(
                name: "sluice_object_store_uploaded_bytes_total", help: "Bytes that the bucket has taken.",
                type: .counter, samples: [.init(value: Double(totals.uploadedByteCount))]),
            MetricFamily(
                name: "sluice_object_store_downloaded_bytes_total", help: "Bytes that the bucket has given.",
                type: .counter, samples: [.init(value: Double(totals.downloadedByteCount))]),
        ]
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
