// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit

/// The read cache as `--json` shows it. Names are a promise to scripts: add, never rename.
package struct CacheOutput: Encodable, Equatable, Sendable {
    package struct Directory: Encodable, Equatable, Sendable {
        package var path: String
        package var state: String
        package var sizeBytes: UInt64
        package var usedBytes: UInt64
        package var errors: UInt32
    }
    package var directories: [Directory]
    package var sizeBytes: UInt64
    package var usedBytes: UInt64
    package var frames: UInt64
    package var indexBytes: UInt64
    package var indexUsedBytes: UInt64
    package var hits: UInt64
    package var misses: UInt64
    package var damagedFrames: UInt64
    /// Directories and size are those of the configuration.
    package var isConfigured: Bool

    package init(_ cache: CacheDescription) {
        directories = cache.directories.map {
            Directory(
                path: $0.path, state: $0.state.word, sizeBytes: $0.byteCount, usedBytes: $0.usedByteCount,
                errors: $0.errorCount)
        }
        sizeBytes = cache.byteCount
        usedBytes = cache.usedByteCount
        frames = cache.frameCount
        indexBytes = cache.indexByteCount
        indexUsedBytes = cache.indexUsedByteCount
        hits = cache.hitCount
        misses = cache.missCount
        damagedFrames = cache.damagedCount
        isConfigured = cache.isConfigured
    }

    package var text: String {
        var table = Table(["DIRECTORY", "STATE", "SIZE", "USED", "ERRORS"])
        for directory in directories {
            table.add([
                directory.path, directory.state, ByteSize(byteCount: directory.sizeBytes).description,
                ByteSize(byteCount: directory.usedBytes).description, String(directory.errors),
            ])
        }
        let size = ByteSize(byteCount: sizeBytes)
        let set = isConfigured ? "" : "; set with `sluice cache`, in place of the configuration"
        return table.render()
            + "\(ByteSize(byteCount: usedBytes)) of \(size) used by \(frames) frames\(set)\n"
            + "index: \(ByteSize(byteCount: indexUsedBytes)) of \(ByteSize(byteCount: indexBytes)) used\n"
            + "since the start: \(hits) hits, \(misses) misses (\(HumanText.percent(hits, of: hits &+ misses)) hits), "
            + "\(damagedFrames) damaged\n"
    }
}

extension CacheDescription.DirectoryState {
    package var word: String {
        switch self {
        case .opening: "opening"
        case .inUse: "in-use"
        case .off: "off"
        }
    }
}
