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
    package init() {}
}
