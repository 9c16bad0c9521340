// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform

/// Segment files in memory, which answer reads beyond their ends as files do.
final class SegmentMemory: SegmentStore {
    static let limits: EngineLimits = {
        var limits = EngineLimits()
        limits.segmentByteCount = 48 << 10
        limits.recoveredCleanByteCount = 96 << 10
        return limits
    }()

    private var segments: [SegmentID: [UInt8]] = [:]
    var ids: [SegmentID] { segments.keys.sorted() }

    func add(_ id: SegmentID, _ bytes: [UInt8]) {
        let missing = max(0, Self.limits.segmentByteCount - bytes.count)
        segments[id] = bytes.prefix(Self.limits.segmentByteCount) + [UInt8](repeating: 0, count: missing)
    }

    private func check(_ segment: SegmentID, _ byteOffset: Int, _ byteCount: Int) throws(SystemError) -> Range<Int> {
        guard byteOffset >= 0, byteCount >= 0, byteOffset + byteCount <= Self.limits.segmentByteCount else {
            throw SystemError(errorNumber: 5, call: "pread")
        }
        return byteOffset..<byteOffset + byteCount
    }

    func read(_ segment: SegmentID, byteOffset: Int, byteCount: Int, into buffer: IOBuffer) throws(SystemError) {
        let range = try check(segment, byteOffset, byteCount)
        unsafe segments[segment]?[range].withUnsafeBytes { unsafe buffer.copy($0, to: 0) }
    }

    func write(_ segment: SegmentID, byteOffset: Int, _ buffer: IOBuffer) throws(SystemError) {
        segments[segment]?.replaceSubrange(try check(segment, byteOffset, buffer.byteCount), with: buffer.array)
    }

    func sync(_ segment: SegmentID) throws(SystemError) {}
}
