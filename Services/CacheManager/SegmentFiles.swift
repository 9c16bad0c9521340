// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
package import Wire

/// The open journal segments of one volume. The table belongs to the shard's thread; the files in it may be used by
/// disk threads at the same time, and stay open for them when a segment is dropped here.
package final class SegmentFiles {
    /// A segment's file and where it lies now: a recycled file is renamed, so the file does not know.
    package struct Segment: Sendable {
        package let file: BlockFile
        package let path: String
    }

    package let volume: VolumeID
    private var segments: [SegmentID: Segment] = [:]

    package init(volume: VolumeID) { self.volume = volume }

    package var identifiers: [SegmentID] { segments.keys.sorted() }
    package func segment(_ id: SegmentID) -> Segment? { segments[id] }
    package func adopt(_ segment: Segment, as id: SegmentID) { segments[id] = segment }
    @discardableResult
    package func drop(_ id: SegmentID) -> Segment? { segments.removeValue(forKey: id) }

    /// The segments that may be synced together; throws if one is not there.
    package func files(_ ids: [SegmentID]) throws(SystemError) -> [BlockFile] {
        var files: [BlockFile] = []
        for id in ids {
            guard let segment = segments[id] else { throw missing(id) }
            files.append(segment.file)
        }
        return files
    }

    package func missing(_ id: SegmentID) -> SystemError {
        SystemError(errorNumber: ENOENT, call: "journal segment", path: "\(volume)/\(id)")
    }

    // MARK: On disk threads

    /// Opens all segments found at start. Blocks.
    package static func open(_ paths: [SegmentID: String]) throws(SystemError) -> [SegmentID: Segment] {
        var segments: [SegmentID: Segment] = [:]
        for (id, path) in paths {
            segments[id] = Segment(file: try BlockFile(path: path, access: .readWrite), path: path)
        }
        return segments
    }

    /// A segment file of the full size under the name of `id`, durable: the recycled one renamed in its directory, or
    /// a new one filled with zeros, so that later syncs write no metadata. Blocks.
    package static func prepare(
        path newPath: String, reusing old: Segment?, byteCount: Int
    ) throws(SystemError) -> Segment {
        if let old {
            if try old.file.size() == UInt64(byteCount) { return try rename(old, toNameOf: newPath) }
            // The configured size has changed since the file was made.
            try Platform.FileSystem.remove(old.path)
        }
        let unfinished = newPath + JournalDirectories.unfinishedSuffix
        let directory = Platform.FileSystem.parentDirectory(of: newPath) ?? "."
        try Platform.FileSystem.remove(unfinished)
        do {
            let file = try BlockFile(path: unfinished, access: .readWrite, creation: .exclusive)
            // Reserved first: a full disk is told before half a segment was written.
            try file.allocate(byteCount: UInt64(byteCount))
            try file.fillWithZeros(byteCount: UInt64(byteCount))
            try file.syncData()
            try Platform.FileSystem.rename(unfinished, to: newPath)
            try Platform.FileSystem.syncDirectory(directory)
            return Segment(file: file, path: newPath)
        } catch {
            _ = try? Platform.FileSystem.remove(unfinished)
            throw error
        }
    }

    private static func rename(_ old: Segment, toNameOf newPath: String) throws(SystemError) -> Segment {
        let directory = Platform.FileSystem.parentDirectory(of: old.path) ?? "."
        let name = newPath.split(separator: "/").last.map(String.init) ?? ""
        let path = directory + "/" + name
        do { try Platform.FileSystem.rename(old.path, to: path) } catch {
            // Asked again after a failure: the renaming itself may have been done then.
            guard error.errorNumber == ENOENT, Platform.FileSystem.exists(path) else { throw error }
        }
        try Platform.FileSystem.syncDirectory(directory)
        return Segment(file: old.file, path: path)
    }
}
