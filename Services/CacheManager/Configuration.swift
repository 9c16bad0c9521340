// SPDX-License-Identifier: Apache-2.0
package import Engine
package import ServiceKit
import Wire

/// What the cache manager takes from the gateway's configuration.
package struct CacheManagerConfiguration: Sendable {
    package var statePath: String
    package var journals: JournalDirectories
    package var admission: VolumeAdmission
    /// `bufferByteCount` is set for each volume.
    package var limits: EngineLimits
    /// Packs that are put together at once.
    package var packCount: Int
    package var cacheLimits: CacheLimits
    /// As configured; what was set while running comes before it (`StateDirectory.cacheSettings`).
    package var cacheSettings: CacheSettings
    /// Directories of the gateway that cannot hold a cache.
    package var reservedDirectories: [String]

    package init(_ gateway: GatewayConfiguration) {
        statePath = gateway.stateDirectory.path
        journals = JournalDirectories(gateway.journalDirectories.map(\.path))
        limits = EngineLimits()
        limits.fit(segmentByteCount: Int(gateway.journalSegmentSize.byteCount))
        limits.bufferByteCount = gateway.journalVolumeBuffer.byteCount
        limits.nodeCacheByteCount = Int(gateway.cacheMemory.byteCount / 4)
        limits.frameCacheByteCount = Int(gateway.cacheMemory.byteCount) - limits.nodeCacheByteCount
        packCount = Int(gateway.cacheUploadMemory.byteCount) / (limits.packBlockCount * Geometry.blockByteCount)
        cacheLimits = CacheLimits()
        cacheLimits.indexByteCount = Int(gateway.cacheIndexMemory.byteCount)
        cacheSettings = CacheSettings(
            configured: gateway.cacheDirectories.map(\.path), byteCount: gateway.cacheSize.byteCount)
        reservedDirectories = gateway.directoriesBesidesCache
        admission = VolumeAdmission(
            journalByteCount: gateway.journalSize.byteCount,
            defaultBufferByteCount: gateway.journalVolumeBuffer.byteCount,
            smallestBufferByteCount: 4 * gateway.journalSegmentSize.byteCount,
            targetPrefix: gateway.iscsiTargetPrefix)
    }
}

extension EngineLimits {
    /// For segments of this size: a command must fit one record and a record one segment, with room for headers and
    /// the segment's index. The sizes that can be configured hold the largest command that SCSI promises.
    package mutating func fit(segmentByteCount: Int) {
        let usual = EngineLimits()
        self.segmentByteCount = segmentByteCount
        commandByteCount = min(usual.commandByteCount, segmentByteCount / 2)
        recordByteCount = min(usual.recordByteCount, segmentByteCount / 4)
    }
}
