// SPDX-License-Identifier: Apache-2.0

/// Our side of the negotiation: what we offer and the bounds of what we accept. Byte counts.
package struct NegotiationLimits: Equatable, Sendable {
    package var requiresInitialR2T = false
    package var allowsImmediateData = true
    package var maxOutstandingR2T: UInt64 = 8
    package var maxBurstByteCount: UInt64 = 1 << 20
    package var firstBurstByteCount: UInt64 = 256 << 10
    package var dataSegmentByteCount = 256 << 10
    package var acceptsDigests = true
    /// Logins that do not agree on CRC32C fail.
    package var requiresHeaderDigest = false
    package var requiresDataDigest = false
    package init() {}

    /// What RFC 7143 §13 does not allow, for whoever configures it; nil: nothing. Values outside of the bounds would
    /// be offered to initiators, which refuse them.
    package var problem: String? {
        let sizes: ClosedRange<UInt64> = 512...16_777_215
        if !sizes.contains(maxBurstByteCount) { return "MaxBurstLength \(maxBurstByteCount) is not in \(sizes)" }
        if !sizes.contains(firstBurstByteCount) { return "FirstBurstLength \(firstBurstByteCount) is not in \(sizes)" }
        if firstBurstByteCount > maxBurstByteCount { return "FirstBurstLength is greater than MaxBurstLength" }
        if !sizes.contains(UInt64(clamping: dataSegmentByteCount)) {
            return "MaxRecvDataSegmentLength \(dataSegmentByteCount) is not in \(sizes)"
        }
        if !(1...65_535).contains(maxOutstandingR2T) {
            return "MaxOutstandingR2T \(maxOutstandingR2T) is not in 1...65535"
        }
        if !acceptsDigests, requiresHeaderDigest || requiresDataDigest {
            return "digests are required and not accepted"
        }
        return nil
    }
}
