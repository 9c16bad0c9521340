// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Platform
import SCSI
import Wire

/// Journal segments as recovery sees them: read from the disk itself, because the page cache may hold what a failed
/// write never brought there (STORAGE §4). One thread; every call blocks.
final class RecoveryFiles: SegmentStore {
    private let segments: [SegmentID: SegmentFiles.Segment]
    private var readers: [SegmentID: UncachedReader] = [:]

    init(segments: [SegmentID: SegmentFiles.Segment]) { self.segments = segments }

    func read(
        _ id: SegmentID, byteOffset: Int, byteCount: Int, into buffer: IOBuffer
    ) throws(SystemError) {
        let reader = try reader(of: id)
        guard try unsafe reader.read(into: buffer.bytes(0..<byteCount), at: UInt64(byteOffset)) == byteCount else {
            throw SystemError(errorNumber: EIO, call: "read past the end of", path: reader.path)
        }
    }

    func write(_ id: SegmentID, byteOffset: Int, _ buffer: IOBuffer) throws(SystemError) {
        try unsafe segment(id).file.write(UnsafeRawBufferPointer(buffer.bytes), at: UInt64(byteOffset))
    }

    func sync(_ id: SegmentID) throws(SystemError) { try segment(id).file.syncData() }

    private func reader(of id: SegmentID) throws(SystemError) -> UncachedReader {
        if let reader = readers[id] { return reader }
        // Segments are read one after the other: a few open descriptors are enough.
        if readers.count >= 8 { readers.removeAll() }
        let reader = try UncachedReader(path: try segment(id).path)
        readers[id] = reader
        return reader
    }

    private func segment(_ id: SegmentID) throws(SystemError) -> SegmentFiles.Segment {
        guard let segment = segments[id] else {
            throw SystemError(errorNumber: ENOENT, call: "journal segment", path: "\(id)")
        }
        return segment
    }
}

/// A recovered journal with its files opened, on its way from a disk thread to the shard.
struct RecoveredFiles: Sendable {
    let journal: RecoveredJournal
    let segments: [SegmentID: SegmentFiles.Segment]
    /// nil: nothing was saved of the logical unit.
    let unit: UnitState?
    /// For segments as found: a changed `journal.segment_size` holds for volumes made after it.
    let limits: EngineLimits

    /// Blocks: reads indexes and the unsealed tail.
    init(
        _ state: LocalState, cuts: [CutPoint], registry: VolumeRegistry, journals: JournalDirectories,
        limits: EngineLimits
    ) throws {
        let volume = state.volume
        unit = try registry.loadUnit(of: volume)
        try journals.make(for: volume)
        let segments = try SegmentFiles.open(try journals.segments(of: volume))
        var limits = limits
        if let size = try segments.values.map({ Int(try $0.file.size()) }).max() {
            limits.fit(segmentByteCount: size)
        }
        self.segments = segments
        self.limits = limits
        journal = try RecoveredJournal.recover(
            volume: volume, committed: state.head.journalSequence, cuts: cuts, segments: segments.keys.sorted(),
            store: RecoveryFiles(segments: segments), limits: limits)
    }
}
