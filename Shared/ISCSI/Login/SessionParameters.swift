// SPDX-License-Identifier: Apache-2.0

/// What a login agreed on; the initial values are those of a key that nobody named (RFC 7143 §13).
package struct SessionParameters: Equatable, Sendable {
    package var headerDigest = false
    package var dataDigest = false
    package var initialR2T = true
    package var immediateData = true
    package var maxOutstandingR2T = 1
    package var maxBurstByteCount = 262_144
    package var firstBurstByteCount = 65_536
    package var secondsToWait: UInt16 = 2
    package var secondsToRetain: UInt16 = 0
    /// The most data that the initiator takes in one PDU.
    package var initiatorDataSegmentLimit = 8192
    /// The most data that we take in one PDU.
    package var targetDataSegmentLimit = 8192
    package init() {}

    package var digests: DigestSettings { DigestSettings(header: headerDigest, data: dataDigest) }
}
