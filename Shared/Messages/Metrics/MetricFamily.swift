// SPDX-License-Identifier: Apache-2.0
package import Wire

/// One metric with all its label sets, in Prometheus's terms.
package struct MetricFamily: Codable, Sendable, Equatable {
    package enum MetricType: UInt8, Codable, Sendable { case counter = 1, gauge = 2, histogram = 3 }
    package struct Sample: Codable, Sendable, Equatable {
        package var labels: [String: String]
        /// Of a histogram: the sum of all that was observed.
        package var value: Double
        /// Of a histogram: how many fell into each bucket, one more than there are bounds; not cumulative.
        package var bucketCounts: [UInt64]?
        package init(labels: [String: String] = [:], value: Double) {
            self.labels = labels
            self.value = value
        }
        package init(labels: [String: String] = [:], _ histogram: LatencyHistogram) {
            self.labels = labels
            value = histogram.totalSeconds
            bucketCounts = histogram.bucketCounts
        }
    }
    package var name: String
    package var help: String
    package var type: MetricType
    package var samples: [Sample]
    /// Of a histogram: the upper bounds of its buckets but the last, ascending.
    package var upperBounds: [Double]?
    package init(name: String, help: String, type: MetricType, samples: [Sample]) {
        self.name = name
        self.help = help
        self.type = type
        self.samples = samples
        if type == .histogram { upperBounds = LatencyHistogram.upperBoundSeconds }
    }

    package init(_ metric: Metric, _ samples: [Sample]) {
        self.init(name: metric.name, help: metric.help, type: metric.type, samples: samples)
    }

    package init(_ metric: Metric, _ value: Double) { self.init(metric, [Sample(value: value)]) }
    package init(_ metric: Metric, _ value: some BinaryInteger) { self.init(metric, Double(value)) }
}
