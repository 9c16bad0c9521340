// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Platform
import ServiceKit
import Wire

/// What people ask of the read cache.
extension ControlHandler {
    // MARK: Warming

    package func warm(_ request: VolumeWarmRequest, answer: @escaping Answer<VolumeDescription>) {
        attempt(answer) { () throws(BusFault) in
            let hosted = try volume(request.volume)
            guard let engine = hosted.engine else {
                throw BusFault(.notReady, "volume \(hosted.name) is not open: \(whyWaiting(hosted))")
            }
            if request.isCancelled {
                engine.cancelWarming()
            } else {
                engine.warm(try blocks(of: request, in: hosted.head.byteCount))
            }
            shard.touch(hosted)
            answer(.success(describe(hosted)))
        }
    }

    /// All blocks that the range touches.
    private func blocks(of request: VolumeWarmRequest, in byteCount: UInt64) throws(BusFault) -> BlockRange {
        let start = request.byteOffset ?? 0
        guard start < byteCount else {
            throw BusFault(
                .invalidArgument,
                "the range begins at \(ByteSize(byteCount: start)), and the volume ends at "
                    + "\(ByteSize(byteCount: byteCount))")
        }
        let end = start + min(request.byteCount ?? byteCount, byteCount - start)
        let block = UInt64(Geometry.blockByteCount)
        return BlockRange(start: BlockIndex(start / block), count: (end + block - 1) / block - start / block)
    }

    // MARK: Directories and size

    package func describeCache() -> CacheDescription {
        let cache = shard.cache
        let statistics = cache.cache.statistics
        let directories = cache.directories.map { directory in
            guard let status = cache.cache.status(of: directory.id) else {
                return CacheDescription.Directory(
                    path: directory.path, state: .off, byteCount: 0, usedByteCount: 0, errorCount: 0)
            }
            return CacheDescription.Directory(
                path: directory.path, state: status.isOpening ? .opening : .inUse, byteCount: status.byteCount,
                usedByteCount: status.usedByteCount, errorCount: UInt32(clamping: status.errorCount))
        }
        return CacheDescription(
            directories: directories, byteCount: cache.settings.byteCount, usedByteCount: statistics.usedByteCount,
            frameCount: UInt64(statistics.frameCount), indexByteCount: UInt64(statistics.indexByteCount),
            indexUsedByteCount: UInt64(statistics.indexUsedByteCount), hitCount: statistics.hitCount,
            missCount: statistics.missCount, damagedCount: statistics.damagedCount,
            isConfigured: cache.settings.isConfigured)
    }

    /// The choice is on the disk before anything is done about it.
    package func change(
        _ request: CacheChangeRequest, within timeout: Duration, answer: @escaping Answer<CacheDescription>
    ) {
        attempt(answer) { () throws(BusFault) in
            guard !isChangingCache else {
                throw BusFault(.busy, "the cache is being changed already; ask again")
            }
            let settings = try settings(after: request.change)
            isChangingCache = true
            let finish = call(within: timeout, answer) { "the cache's settings are not saved yet: the disk is slow" }
            let (path, reserved) = (cacheSettingsPath, reservedDirectories)
            let old = shard.cache.settings
            shard.disk.run { () -> Result<Void, BusFault> in
                Result { () throws(BusFault) in
                    try Self.check(settings, after: old, reserved: reserved)
                    try Self.save(settings, to: path)
                }
            } then: { [self] result in
                isChangingCache = false
                if case .success = result { shard.cache.apply(settings, at: shard.now.nanoseconds) }
                shard.settle()
                finish(result.map { self.describeCache() })
            }
        }
    }

    private func settings(after change: CacheChangeRequest.Change) throws(BusFault) -> CacheSettings {
        var settings = shard.cache.settings
        switch change {
        case .add(let directory, let byteCount):
            guard !settings.directories.contains(directory) else {
                throw BusFault(.inUse, "\(directory) is a cache directory already; `sluice cache list` shows them")
            }
            settings.directories.append(directory)
            settings.byteCount = settings.byteCount &+ (byteCount ?? 0)
        case .remove(let directory):
            guard settings.directories.contains(directory) else {
                throw BusFault(
                    .invalidArgument, "\(directory) is no cache directory; `sluice cache list` shows them")
            }
            guard settings.directories.count > 1 else {
                throw BusFault(
                    .inUse, "\(directory) is the only cache directory; add another one before it goes")
            }
            let share = settings.byteCount / UInt64(settings.directories.count)
            settings.directories.removeAll { $0 == directory }
            settings.byteCount -= share
        case .resize(let byteCount): settings.byteCount = byteCount
        }
        return settings
    }

    /// On a disk thread.
    private static func check(
        _ settings: CacheSettings, after old: CacheSettings, reserved: [String]
    ) throws(BusFault) {
        let least = GatewayConfiguration.smallestCacheDirectory.byteCount
        guard settings.byteCount / UInt64(settings.directories.count) >= least else {
            throw BusFault(
                .invalidArgument,
                "\(ByteSize(byteCount: settings.byteCount)) in all are too little: each cache directory needs at least "
                    + "\(ByteSize(byteCount: least)), and there would be \(settings.directories.count)")
        }
        guard settings.byteCount <= GatewayConfiguration.largestCache.byteCount else {
            throw BusFault(
                .invalidArgument, "the cache cannot be larger than \(GatewayConfiguration.largestCache)")
        }
        let others =
            old.directories.map { CacheDirectoryRule.Other(path: $0, use: "of the cache") }
            + reserved.map { CacheDirectoryRule.Other(path: $0, use: "of this gateway") }
        for directory in settings.directories where !old.directories.contains(directory) {
            if let reason = Platform.FileSystem.whyNotUsable(directory: directory) {
                throw BusFault(.invalidArgument, reason)
            }
            if let reason = CacheDirectoryRule.refusal(of: directory, beside: others) {
                throw BusFault(.inUse, reason)
            }
            do { _ = try CacheFiles.lock(directory) } catch { throw BusFault(.inUse, error.description) }
        }
    }

    private static func save(_ settings: CacheSettings, to path: String) throws(BusFault) {
        do {
            try Platform.FileSystem.replaceFile(path, with: try CacheSettingsFormat.encode(settings))
        } catch {
            throw BusFault(.internalError, "the cache's settings cannot be saved in \(path): \(error)")
        }
    }
}
