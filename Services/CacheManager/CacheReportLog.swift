// SPDX-License-Identifier: Apache-2.0
import Engine
import Logging

/// What the read cache reports, as log lines: constant message, values apart.
enum CacheReportLog {
    static func log(_ report: CacheReport, of cache: HostedCache, to logger: Logger) {
        func path(_ directory: CacheDirectoryID) -> Logger.MetadataValue {
            "\(cache.files.path(of: directory) ?? "unknown")"
        }
        switch report {
        case .opened(let directory, let frames, let byteCount):
            logger.info(
                "Cache directory opened",
                metadata: ["directory": path(directory), "bytes": "\(byteCount)", "framesInAll": "\(frames)"])
        case .directoryOff(let directory, let reason):
            logger.error(
                """
                Cache directory turned off: reads go on, from the other directories and from the bucket. Mend \
                the reason; the directory is used again after a restart, or when it is removed and added
                """, metadata: ["directory": path(directory), "reason": "\(reason)"])
        case .damagedRegion(let file, let reason):
            logger.warning(
                "Damaged cache files thrown away; what they held is fetched again when it is read",
                metadata: [
                    "directory": path(file.directory), "file": "\(CacheFiles.fileName(file.number))",
                    "reason": "\(reason)",
                ])
        case .outOfSpace(let directory):
            logger.warning(
                "No room for all of the cache: it stays smaller than cache.size",
                metadata: ["directory": path(directory)])
        case .indexFull(let frames, let byteCount):
            logger.notice(
                "The cache's index is full before its disks are: raise cache.index_memory to use all of cache.size",
                metadata: ["frames": "\(frames)", "bytes": "\(byteCount)"])
        }
    }
}
