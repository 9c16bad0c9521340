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

    package init(_ gateway: GatewayConfiguration) {
        statePath = gateway.stateDirectory.path
        journals = JournalDirectories(gateway.journalDirectories.map(\.path))
        limits = EngineLimits()
        limits.segmentByteCount = Int(gateway.journalSegmentSize.byteCount)
        // A command must fit one record and a record one segment, with room for headers and the segment's index.
        limits.commandByteCount = min(limits.commandByteCount, limits.segmentByteCount / 2)
        limits.recordByteCount = min(limits.recordByteCount, limits.segmentByteCount / 4)
        limits.bufferByteCount = gateway.journalVolumeBuffer.byteCount
        limits.nodeCacheByteCount = Int(gateway.cacheMemory.byteCount / 4)
        limits.frameCacheByteCount = Int(gateway.cacheMemory.byteCount) - limits.nodeCacheByteCount
        admission = VolumeAdmission(
            journalByteCount: gateway.journalSize.byteCount,
            defaultBufferByteCount: gateway.journalVolumeBuffer.byteCount,
            smallestBufferByteCount: max(16 << 20, 4 * gateway.journalSegmentSize.byteCount),
            targetPrefix: gateway.iscsiTargetPrefix)
    }
}
