// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

struct LatencyHistogramTests {
    @Test func eachBoundBelongsToItsOwnBucket() {
        for (index, seconds) in LatencyHistogram.upperBoundSeconds.enumerated() {
            let bound = UInt64((seconds * 1e9).rounded())
            var histogram = LatencyHistogram()
            histogram.record(nanoseconds: bound - 1)
            histogram.record(nanoseconds: bound)
            histogram.record(nanoseconds: bound + 1)
            var expected = [UInt64](repeating: 0, count: LatencyHistogram.boundCount + 1)
            expected[index] = 2
            expected[index + 1] = 1
            #expect(histogram.bucketCounts == expected, "\(seconds)")
        }
    }

    @Test func theLongestAndTheShortestHaveAPlace() {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: 0)
        histogram.record(nanoseconds: 3_600_000_000_000)
        #expect(histogram.bucketCounts.first == 1 && histogram.bucketCounts.last == 1)
        #expect(histogram.count == 2 && histogram.totalSeconds == 3600)
        var sum = histogram
        sum.add(histogram)
        #expect(sum.count == 4 && sum.totalSeconds == 7200)
    }

    @Test func boundsAreWhatPeopleCanRead() {
        #expect(LatencyHistogram.upperBoundSeconds.prefix(3).map { "\($0)" } == ["5e-05", "0.0001", "0.0002"])
        #expect(LatencyHistogram.upperBoundSeconds.count == LatencyHistogram.boundCount)
    }

    @Test func operationsAreToldApart() {
        var latencies = VolumeLatencies()
        for (index, operation) in VolumeOperation.allCases.enumerated() {
            for _ in 0...index { latencies.record(operation, nanoseconds: 1) }
        }
        #expect(VolumeOperation.allCases.map { latencies[$0].count } == [1, 2, 3, 4])
    }
}
