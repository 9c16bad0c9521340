// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Platform
import ServiceKit
package import Wire

/// Where journal segments lie: `<journal directory>/<volume id>/<segment id>.seg`, in turn over all configured
/// directories. A segment is found by looking in all of them, so directories may be added. Only paths, so any
/// thread may use it; every call blocks.
package struct JournalDirectories: Sendable {
    package let directories: [String]

    package init(_ directories: [String]) {
        precondition(!directories.isEmpty)
        self.directories = directories
    }

    /// Makes the volume's directory in each journal directory, durably.
    package func make(for volume: VolumeID) throws(SystemError) {
        for directory in directories { try Platform.FileSystem.makeDurableDirectory("\(directory)/\(volume)") }
    }

    /// The next segment's place: one directory after the other.
    package func path(of segment: SegmentID, volume: VolumeID) -> String {
        let directory = directories[Int(segment.rawValue % UInt32(directories.count))]
        return "\(directory)/\(volume)/\(Self.fileName(segment))"
    }

    /// All segments of a volume that are there. Files whose making was cut short are removed.
    package func segments(of volume: VolumeID) throws -> [SegmentID: String] {
        var found: [SegmentID: String] = [:]
        for directory in directories {
            let path = "\(directory)/\(volume)"
            guard Platform.FileSystem.exists(path) else { continue }
            for name in try Platform.FileSystem.list(path) {
                if name.hasSuffix(Self.unfinishedSuffix) {
                    try Platform.FileSystem.remove("\(path)/\(name)")
                } else if let segment = Self.segment(fileName: name) {
                    if let other = found.updateValue("\(path)/\(name)", forKey: segment) {
                        throw ServiceFailure(
                            .badData,
                            "segment \(segment) of \(volume) exists twice: \(other) and \(path)/\(name); "
                                + "one is a copy, move it away")
                    }
                }
            }
        }
        return found
    }

    /// Removes the volume's segments and its directories.
    package func remove(_ volume: VolumeID) throws {
        for path in try segments(of: volume).values { try Platform.FileSystem.remove(path) }
        for directory in directories {
            try Platform.FileSystem.removeDirectory("\(directory)/\(volume)")
            try Platform.FileSystem.syncDirectory(directory)
        }
    }

    /// Renames the volume's directories, so that they are nobody's journal any more.
    /// - Returns: where they are now.
    package func setAside(_ volume: VolumeID, moment: UInt64) throws(SystemError) -> [String] {
        var places: [String] = []
        for directory in directories where Platform.FileSystem.exists("\(directory)/\(volume)") {
            let place = "\(directory)/\(volume).set-aside-\(moment)"
            try Platform.FileSystem.rename("\(directory)/\(volume)", to: place)
            try Platform.FileSystem.syncDirectory(directory)
            places.append(place)
        }
        return places
    }

    /// Volumes that have a journal here and nothing in `known`: their state was lost or moved away.
    package func strangers(known: Set<VolumeID>) throws -> [VolumeID] {
        var strangers: Set<VolumeID> = []
        for directory in directories {
            for name in try Platform.FileSystem.list(directory) {
                if let volume = VolumeID(name), !known.contains(volume) { strangers.insert(volume) }
            }
        }
        return strangers.sorted()
    }

    package static let unfinishedSuffix = ".new"
    package static func fileName(_ segment: SegmentID) -> String { "\(segment).seg" }

    private static func segment(fileName: String) -> SegmentID? {
        guard fileName.hasSuffix(".seg"), fileName.utf8.count == 12,
            let value = UInt32(fileName.prefix(8), radix: 16), Self.fileName(SegmentID(value)) == fileName
        else { return nil }
        return SegmentID(value)
    }
}
