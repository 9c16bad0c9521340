// SPDX-License-Identifier: Apache-2.0
import Engine
import Logging
import Wire

/// What volumes, the cache and standbys have to say to people.
extension ShardLoop {
    func report(_ report: EngineReport, of hosted: HostedVolume) {
        reportLogs[hosted.id, default: EngineReportLog()].log(report, of: hosted, to: parts.logger)
    }

    func report(_ report: CacheReport, of cache: HostedCache) {
        CacheReportLog.log(report, of: cache, to: parts.logger)
    }

    func report(_ report: StandbyReport, of volume: VolumeID, name: String) {
        var metadata: Logger.Metadata = ["volume": "\(name)", "id": "\(volume)"]
        switch report {
        case .taking(let owner, let isHandedOver):
            metadata["owner"] = "\(owner)"
            metadata["reason"] = isHandedOver ? "its owner has shut it down" : "the lease has run out"
            parts.logger.notice("Taking a volume over", metadata: metadata)
        case .taken(let generation):
            metadata["generation"] = "\(generation.rawValue)"
            parts.logger.notice("Volume taken over", metadata: metadata)
        case .lostRace: parts.logger.notice("Somebody else wrote HEAD first: waiting again", metadata: metadata)
        case .cannotTake(let reason):
            metadata["reason"] = "\(reason)"
            parts.logger.error("A volume whose lease has run out cannot be taken over", metadata: metadata)
        case .volumeDeleted: parts.logger.notice("Standby ends: the volume was deleted", metadata: metadata)
        }
    }
}
