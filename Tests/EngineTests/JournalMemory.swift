// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

// The journal is internal to the engine: its parts have no other door to test them through.
@testable import Engine

/// Segments in memory: carries out a journal's effects at once and serves recovery from the result.
final class JournalMemory: SegmentStore {
    private(set) var segments: [SegmentID: [UInt8]] = [:]
    private(set) var syncCount = 0
    let limits: EngineLimits

    init(limits: EngineLimits) { self.limits = limits }

    /// Carries out everything a journal wants until it wants nothing more. - Returns: what was published.
    func settle(_ journal: inout Journal, _ effects: inout EffectQueue) -> [Journal.Written] {
        var published: [Journal.Written] = []
        while true {
            journal.flush(&effects, at: EngineTime(nanoseconds: 0, wallMilliseconds: 7))
            journal.pump(&effects)
            var waiting: [Effect] = []
            effects.drain(into: &waiting)
            if waiting.isEmpty { return published }
            for effect in waiting { published += perform(effect, &journal, &effects) }
        }
    }

    private func perform(
        _ effect: Effect, _ journal: inout Journal, _ effects: inout EffectQueue
    ) -> [Journal.Written] {
        switch effect {
        case .prepareSegment(let token, let id, let old):
            segments[id] =
                old.flatMap { segments.removeValue(forKey: $0) }
                ?? [UInt8](repeating: 0, count: limits.segmentByteCount)
            _ = journal.store.didPrepare(token, .success(()))
        case .writeSegment(let token, let id, let byteOffset, let buffer, let byteCount):
            segments[id]?.replaceSubrange(byteOffset..<byteOffset + byteCount, with: buffer.array.prefix(byteCount))
            if let written = journal.didWrite(token, .success(())) { return written }
            _ = journal.didSync(token, .success(()), &effects)
        case .syncSegments(let token, _):
            syncCount += 1
            _ = journal.didSync(token, .success(()), &effects)
        default: preconditionFailure("not an effect of a journal: \(effect)")
        }
        return []
    }

    func damage(_ id: SegmentID, at byteOffset: Int) { segments[id]?[byteOffset] ^= 1 }
    func cut(_ id: SegmentID, from byteOffset: Int) {
        segments[id]?.replaceSubrange(
            byteOffset..., with: repeatElement(0, count: limits.segmentByteCount - byteOffset))
    }

    // MARK: SegmentStore

    func read(_ segment: SegmentID, byteOffset: Int, byteCount: Int, into buffer: IOBuffer) throws(SystemError) {
        guard let bytes = segments[segment] else { throw SystemError(errorNumber: 2, call: "open") }
        unsafe bytes[byteOffset..<byteOffset + byteCount].withUnsafeBytes { unsafe buffer.copy($0, to: 0) }
    }
    func write(_ segment: SegmentID, byteOffset: Int, _ buffer: IOBuffer) throws(SystemError) {
        segments[segment]?.replaceSubrange(byteOffset..<byteOffset + buffer.byteCount, with: buffer.array)
    }
    func sync(_ segment: SegmentID) throws(SystemError) {}
}
