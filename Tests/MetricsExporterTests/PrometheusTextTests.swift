// SPDX-License-Identifier: Apache-2.0
import Messages
import MetricsExporter
import Testing
import Wire

struct PrometheusTextTests {
    private func gauge(_ name: String, _ samples: [MetricFamily.Sample], help: String = "Help.") -> MetricFamily {
        MetricFamily(name: name, help: help, type: .gauge, samples: samples)
    }

    @Test func writesFamiliesAndSamplesInOrder() {
        var text = PrometheusText()
        let counter = MetricFamily(
            name: "b_total", help: "Bytes.", type: .counter,
            samples: [
                .init(labels: ["volume": "z"], value: 2), .init(labels: ["volume": "a", "name": "n"], value: 0.5),
            ])
        #expect(text.add([counter, gauge("a", [.init(value: 1)])]) == 0)
        #expect(
            text.render() == """
                # HELP a Help.
                # TYPE a gauge
                a 1
                # HELP b_total Bytes.
                # TYPE b_total counter
                b_total{name="n",volume="a"} 0.5
                b_total{volume="z"} 2

                """)
    }

    @Test func mergesAFamilyOfSeveralServices() {
        var text = PrometheusText()
        #expect(text.add([gauge("up", [.init(value: 1)])], labels: ["process": "cache-0"]) == 0)
        #expect(text.add([gauge("up", [.init(value: 0)])], labels: ["process": "iscsi-0"]) == 0)
        let rendered = text.render()
        #expect(rendered.split(separator: "\n").filter { $0.hasPrefix("# TYPE up") }.count == 1)
        #expect(rendered.contains("up{process=\"cache-0\"} 1\n"))
        #expect(rendered.contains("up{process=\"iscsi-0\"} 0\n"))
    }

    @Test func escapesWhatTheFormatGivesAMeaning() {
        var text = PrometheusText()
        _ = text.add([gauge("g", [.init(labels: ["l": "a\"b\\c\nd"], value: 1)], help: "a\\b\n\"c\"")])
        #expect(text.render().contains("# HELP g a\\\\b\\n\"c\"\n"))
        #expect(text.render().contains("g{l=\"a\\\"b\\\\c\\nd\"} 1\n"))
    }

    @Test func leavesOutWhatWouldBreakThePage() {
        var text = PrometheusText()
        #expect(text.add([gauge("good", [.init(value: 1), .init(value: 2)])]) == 1, "a label set twice")
        #expect(text.add([gauge("bad name", [.init(value: 1)]), gauge("9", [.init(value: 1)])]) == 2)
        #expect(
            text.add([gauge("l", [.init(labels: ["a-b": ""], value: 1), .init(labels: ["__x": ""], value: 1)])]) == 2)
        let other = MetricFamily(name: "good", help: "", type: .counter, samples: [.init(value: 3)])
        #expect(text.add([other]) == 1, "one name, two types")
        #expect(text.render() == "# HELP good Help.\n# TYPE good gauge\ngood 1\n")
    }

    private func histogram(_ nanoseconds: [UInt64], labels: [String: String] = [:]) -> MetricFamily {
        var histogram = LatencyHistogram()
        for value in nanoseconds { histogram.record(nanoseconds: value) }
        return MetricFamily(name: "h", help: "H.", type: .histogram, samples: [.init(labels: labels, histogram)])
    }

    @Test func countsOfAHistogramAddUp() {
        var text = PrometheusText()
        #expect(text.add([histogram([1, 75_000, 90_000, 60_000_000_000])], labels: ["l": "x"]) == 0)
        let lines = text.render().split(separator: "\n")
        #expect(lines.count == 2 + LatencyHistogram.boundCount + 3)
        #expect(lines[1] == "# TYPE h histogram")
        #expect(lines[2] == "h_bucket{l=\"x\",le=\"5e-05\"} 1")
        #expect(lines[3] == "h_bucket{l=\"x\",le=\"0.0001\"} 3")
        #expect(lines[lines.count - 4].hasSuffix("} 3"))
        #expect(lines[lines.count - 3] == "h_bucket{l=\"x\",le=\"+Inf\"} 4")
        #expect(lines[lines.count - 2] == "h_sum{l=\"x\"} 60.000165001")
        #expect(lines[lines.count - 1] == "h_count{l=\"x\"} 4")
        var bare = PrometheusText()
        _ = bare.add([histogram([])])
        #expect(bare.render().contains("h_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n"))
    }

    @Test func leavesOutHistogramsThatNobodyCouldRead() {
        var text = PrometheusText()
        #expect(text.add([histogram([1])]) == 0)
        var fewer = histogram([1], labels: ["l": "1"])
        fewer.samples[0].bucketCounts?.removeLast()
        var otherBounds = histogram([1], labels: ["l": "2"])
        otherBounds.upperBounds?[0] = 1e-9
        var unordered = histogram([1], labels: ["l": "3"])
        unordered.name = "u"
        unordered.upperBounds?.swapAt(0, 1)
        var plain = histogram([1], labels: ["l": "4"])
        plain.samples[0].bucketCounts = nil
        var counting = gauge("g", [.init(value: 1)])
        counting.samples[0].bucketCounts = [1]
        for family in [fewer, otherBounds, unordered, plain, counting] { #expect(text.add([family]) == 1) }
        #expect(text.render().split(separator: "\n").count == 2 + LatencyHistogram.boundCount + 3)
    }

    @Test func writesNumbersThatPrometheusReads() {
        var text = PrometheusText()
        let values = [Double.infinity, -.infinity, .nan, 1e21, 0.1, 1_099_511_627_776]
        _ = text.add([gauge("g", values.enumerated().map { .init(labels: ["i": "\($0)"], value: $1) })])
        for expected in ["+Inf", "-Inf", "NaN", "1e+21", "0.1", "1099511627776"] {
            #expect(text.render().contains("} \(expected)\n"), "\(expected)")
        }
    }
}
