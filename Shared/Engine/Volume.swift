// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

/// How a volume comes to life.
package enum VolumeOpening {
    /// A volume that does not exist in the bucket: HEAD is created under If-None-Match. The head is complete (its
    /// root may be a snapshot's) but for its commit id and number.
    case create(Head)
    /// Take the volume over from whoever owns it: HEAD as read, replaced under If-Match with a higher generation.
    case takeOver(StoredObject, by: GatewayID)
    /// It was ours when this machine last ran: local state and recovered journal.
    case resume(LocalState, RecoveredJournal)
}

/// What the volume is doing, for status and metrics.
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
    package var phase: Phase
    /// Distinct bytes not in the bucket yet.
    package var dirtyByteCount: UInt64
    /// 0 when clean.
    package var oldestDirtyNanoseconds: UInt64
    package var bufferUsedByteCount: UInt64
    package var bufferByteCount: UInt64
    package var readByteCount: UInt64
    package var readCount: UInt64
    package var writtenByteCount: UInt64
    package var writeCount: UInt64
    package var flushCount: UInt64
    package var uploadedByteCount: UInt64
    package var downloadedByteCount: UInt64
    package var commitCount: UInt64
    /// Delay that back-pressure gives a write now, nanoseconds.
    package var writeDelayNanoseconds: UInt64
}

/// One volume's storage engine: journal, dirty map, commits, reading (STORAGE §3-§5, §8). Sans-I/O: it takes requests,
/// events and time, and leaves effects for its driver, which is the cache manager's shard or the simulator. All calls
/// come from one thread.
///
/// The driver's loop: `submit` for each request that is there, then `endOfBatch` once; `handle` for each event;
/// `advance` at `nextDeadline`; after any of these, `takeEffects` and carry them out. Effects may be answered at once.
package final class Volume {
    package init(_ opening: VolumeOpening, limits: EngineLimits, seed: UInt64, at time: EngineTime) {}
}
// API that follows (being written):
//   var head: Head                                  newest committed (or to be created) HEAD
//   var statistics: VolumeStatistics
//   func submit(_ request: VolumeRequest, payload: UnsafeRawBufferPointer, at: EngineTime)   payload is copied if kept
//   func endOfBatch(at: EngineTime)                 emits the group commit of what was submitted
//   func barrier(frontend: ServiceInstance, nexus: UInt64, caller: CallerToken, at:)  -> .barrierPassed
//   func revoke(_ frontend: ServiceInstance, at:)   its requests are refused and its table forgotten
//   func commit(caller: CallerToken, at:)           everything acknowledged so far -> .finished(caller, head)
//   func stop(caller: CallerToken, at:)             commits, marks a clean shutdown, then refuses; .finished
//   func delete(caller: CallerToken, at:)           tombstone HEAD; .finished
//   func handle(_ event: EngineEvent, at:)
//   func advance(to: EngineTime)
//   var nextDeadline: UInt64?                       EngineTime.nanoseconds at which advance() is due
//   func takeEffects(_ effects: inout [Effect])     appends and forgets
// Recovery, synchronous, on a disk thread:
//   protocol SegmentStore { func byteCount(SegmentID) throws(SystemError) -> Int ; func read(SegmentID, byteOffset: Int, into: UnsafeMutableRawBufferPointer) throws(SystemError);
//       func write(SegmentID, byteOffset: Int, UnsafeRawBufferPointer) throws(SystemError); func sync(SegmentID) throws(SystemError) }
//   RecoveredJournal.recover(volume: VolumeID, segments: [SegmentID], store: some SegmentStore, limits: EngineLimits) throws -> RecoveredJournal
//     (reads indexes and the unsealed tail with O_DIRECT, seals and syncs every unsealed segment)
