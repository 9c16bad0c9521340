// SPDX-License-Identifier: Apache-2.0

/// What a volume is doing, for status and metrics.
package struct VolumeStatistics: Equatable, Sendable {
    package enum Phase: Equatable, Sendable {
        /// Asking the bucket who owns it; commands wait.
        case opening
        case serving
        /// Serving, but the bucket does not take commits (why).
        case stalled(String)
        case fenced(String)
        case failed(String)
        case stopping
        case stopped
    }
    package var phase = Phase.opening
    /// Distinct bytes that the bucket lacks.
    package var dirtyByteCount: UInt64 = 0
    /// Wall clock of the oldest write that the bucket lacks; nil when clean.
    package var oldestDirtyMilliseconds: UInt64?
    package var bufferUsedByteCount: UInt64 = 0
    package var bufferByteCount: UInt64 = 0
    package var readByteCount: UInt64 = 0
    package var readCount: UInt64 = 0
    package var writtenByteCount: UInt64 = 0
    package var writeCount: UInt64 = 0
    package var flushCount: UInt64 = 0
    package var uploadedByteCount: UInt64 = 0
    package var downloadedByteCount: UInt64 = 0
    package var commitCount: UInt64 = 0
    /// Requests that were answered from the request table because they came again.
    package var repeatCount: UInt64 = 0
    /// The delay that back-pressure gives a write now.
    package var writeDelayNanoseconds: UInt64 = 0
}
