// SPDX-License-Identifier: Apache-2.0

/// The slowest link to a bucket that is of use. Whoever waits for a body gives it the time that such a link takes, so
/// that a deadline means that something hangs; the cache manager and the store's client have to agree on it.
package enum SlowestLink {
    package static let bytesPerSecond = 256 << 10

    /// How long a body of this size may take.
    package static func milliseconds(byteCount: Int) -> Int { byteCount / (bytesPerSecond / 1000) }
}
