// SPDX-License-Identifier: Apache-2.0

/// What one message may hold. Senders keep to it, receivers refuse more.
package enum MessageLimits {
    /// The encoded Codable value, or the fixed-layout requests of one batch.
    package static let bodyByteCount = 8 << 20
    /// Any single frame; ZeroMQ cuts the connection of a peer that sends more.
    package static let frameByteCount = 32 << 20
    package static let payloadFrameCount = 1024
    /// Requests or replies in the body of one `io` message.
    package static let ioBatchCount = 1024
    /// Structs, arrays and enums inside each other.
    package static let nestingDepth = 32
}
