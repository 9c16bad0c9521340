// SPDX-License-Identifier: Apache-2.0

/// How long things of one kind took, in buckets that double from 50 µs to 26 s. One owner counts into it, without a
/// lock and without allocating; metrics read it on the owner's thread.
package struct LatencyHistogram: Sendable {
    package static let firstBoundNanoseconds: UInt64 = 50_000
    package static let boundCount = 20
    /// Of the buckets but the last, which takes what is longer.
    package static let upperBoundSeconds: [Double] = (0..<boundCount).map {
        // Divided as integers are, so that the bounds print as 0.0001 and not as 0.00009999….
        Double(firstBoundNanoseconds << UInt64($0)) / 1e9
    }

    private var counts = InlineArray<21, UInt64>(repeating: 0)
    package private(set) var totalNanoseconds: UInt64 = 0
    package init() {}

    package mutating func record(nanoseconds: UInt64) {
        counts[Self.bucket(of: nanoseconds)] &+= 1
        totalNanoseconds &+= nanoseconds
    }

    package mutating func add(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        totalNanoseconds &+= other.totalNanoseconds
    }

    /// How many fell into each bucket, the one without a bound last; not cumulative.
    package var bucketCounts: [UInt64] { counts.indices.map { counts[$0] } }
    package var count: UInt64 { bucketCounts.reduce(0, +) }
    package var totalSeconds: Double { Double(totalNanoseconds) / 1e9 }

    /// The first bucket whose bound is not below `nanoseconds`.
    private static func bucket(of nanoseconds: UInt64) -> Int {
        guard nanoseconds > firstBoundNanoseconds else { return 0 }
        let steps = (nanoseconds - 1) / firstBoundNanoseconds
        return min(boundCount, UInt64.bitWidth - steps.leadingZeroBitCount)
    }
}

/// What initiators ask of a volume, as metrics tell it apart.
package enum VolumeOperation: String, Sendable, CaseIterable {
    case read, write, flush
    /// UNMAP, WRITE SAME and COMPARE AND WRITE.
    case other
}

/// One histogram for each operation of a volume.
package struct VolumeLatencies: Sendable {
    private var read = LatencyHistogram()
    private var write = LatencyHistogram()
    private var flush = LatencyHistogram()
    private var other = LatencyHistogram()
    package init() {}

    package mutating func record(_ operation: VolumeOperation, nanoseconds: UInt64) {
        switch operation {
        case .read: read.record(nanoseconds: nanoseconds)
        case .write: write.record(nanoseconds: nanoseconds)
        case .flush: flush.record(nanoseconds: nanoseconds)
        case .other: other.record(nanoseconds: nanoseconds)
        }
    }

    package subscript(operation: VolumeOperation) -> LatencyHistogram {
        switch operation {
        case .read: read
        case .write: write
        case .flush: flush
        case .other: other
        }
    }
}
