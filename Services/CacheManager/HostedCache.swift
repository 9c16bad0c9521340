// SPDX-License-Identifier: Apache-2.0
package import Engine
import Platform

/// The shard's read cache with its files, and the directories that it has now. Owned by the shard, on its thread.
package final class HostedCache {
    package struct Directory: Equatable, Sendable {
        package var id: CacheDirectoryID
        package var path: String
    }

    package let cache: ReadCache
    package let files: CacheFiles
    package private(set) var settings: CacheSettings
    package private(set) var directories: [Directory] = []
    private let disk: SharedDisk
    private var lastID: UInt32 = 0

    package init(limits: CacheLimits, settings: CacheSettings, disk: SharedDisk, at now: UInt64) {
        cache = ReadCache(limits: limits)
        files = CacheFiles(disk: disk, regionByteCount: limits.regionByteCount)
        self.disk = disk
        self.settings = CacheSettings(
            directories: [], byteCount: settings.byteCount, configuredDirectories: settings.configuredDirectories,
            configuredByteCount: settings.configuredByteCount)
        apply(settings, at: now)
    }

    /// Adds, removes and resizes directories until they are as they should be. What is removed is forgotten at once.
    package func apply(_ new: CacheSettings, at now: UInt64) {
        let regionLimit = Self.regionLimit(new, limits: cache.limits)
        disk.directoryCount = new.directories.count
        for directory in directories where !new.directories.contains(directory.path) {
            cache.remove(directory.id, isDiscarded: true)
            files.unlock(directory.id)
        }
        directories.removeAll { !new.directories.contains($0.path) }
        for directory in directories { cache.resize(directory.id, regionLimit: regionLimit) }
        for path in new.directories where !directories.contains(where: { $0.path == path }) {
            lastID += 1
            let directory = Directory(id: CacheDirectoryID(lastID), path: path)
            directories.append(directory)
            files.name(directory.id, path)
            cache.add(directory.id, regionLimit: regionLimit, at: now)
        }
        settings = new
    }

    /// Removes what a former run left in a directory that has left the configuration since.
    package func clear(_ path: String, then finish: @escaping (_ fileCount: Int) -> Void) {
        lastID += 1
        files.name(CacheDirectoryID(lastID), path)
        files.clear(CacheDirectoryID(lastID), unlessOneOf: settings.directories, then: finish)
    }

    /// As the end of the process does.
    package func unlock() { for directory in directories { files.unlock(directory.id) } }

    /// How many regions each directory holds: all the same, because a cache on two disks is to use both.
    package static func regionLimit(_ settings: CacheSettings, limits: CacheLimits) -> Int {
        guard !settings.directories.isEmpty else { return 0 }
        return Int(settings.byteCount / UInt64(settings.directories.count)) / limits.regionByteCount
    }
}
