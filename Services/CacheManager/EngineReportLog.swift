// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Logging
import Wire

/// What the engine of one volume reports, as log lines: constant message, values apart.
package struct EngineReportLog {
    /// Troubles that are reported with each attempt, each with a new text perhaps. One that goes on is told once, until
    /// a commit shows that it is over; `sluice status` has the reason of the moment.
    private enum Trouble { case commitDelayed, foldDelayed, journalSpaceMissing }
    private var troubles: Set<Trouble> = []

    package init() {}

    package mutating func log(_ report: EngineReport, of hosted: HostedVolume, to logger: Logger) {
        var metadata: Logger.Metadata = ["volume": "\(hosted.name)", "id": "\(hosted.id)"]
        func add(_ more: Logger.Metadata) { metadata.merge(more) { $1 } }
        switch report {
        case .recovered(let records, let dirtyBytes, let segments):
            add(["records": "\(records)", "dirtyBytes": "\(dirtyBytes)", "segments": "\(segments)"])
            logger.info("Journal recovered", metadata: metadata)
        case .tornTail(let segment, let byteOffset):
            add(["segment": "\(segment)", "offset": "\(byteOffset)"])
            logger.notice("Journal ends in an unfinished record, which was never acknowledged", metadata: metadata)
        case .badBlock(let segment, let block):
            add(["segment": "\(segment)", "block": "\(block.rawValue)"])
            logger.error("Damaged block in the journal", metadata: metadata)
        case .committed(let number, let bytes, let packs):
            troubles.removeAll()
            add(["commit": "\(number)", "bytes": "\(bytes)", "packs": "\(packs)"])
            logger.debug("Committed", metadata: metadata)
        case .commitDelayed(let reason):
            guard troubles.insert(.commitDelayed).inserted else { return }
            add(["reason": "\(reason)"])
            logger.warning("Commit delayed", metadata: metadata)
        case .dirtyBlockLost(let block):
            add(["block": "\(block.rawValue)"])
            logger.critical(
                """
                A block that is not in the bucket yet cannot be read from the journal: commits stop. Copy the data \
                off, or go back to the last recovery point with `sluice volume attach --force` on another state \
                directory
                """, metadata: metadata)
        case .folded(let number):
            add(["fold": "\(number)"])
            logger.debug("Folded", metadata: metadata)
        case .foldDelayed(let reason):
            guard troubles.insert(.foldDelayed).inserted else { return }
            add(["reason": "\(reason)"])
            logger.warning("Folding the map is delayed; commits go on", metadata: metadata)
        case .fenced(let reason):
            add(["reason": "\(reason)"])
            logger.error("Volume fenced: it refuses everything and keeps its journal", metadata: metadata)
        case .leaseLapsed:
            logger.warning(
                "The lease has lapsed: nothing is acknowledged until the bucket takes HEAD", metadata: metadata)
        case .journalFailed(let reason):
            add(["reason": "\(reason)"])
            logger.critical("Journal failed: nothing more is acknowledged for the volume", metadata: metadata)
        case .journalSpaceMissing(let reason):
            guard troubles.insert(.journalSpaceMissing).inserted else { return }
            add(["reason": "\(reason)"])
            logger.warning("No room for another journal segment: writes wait", metadata: metadata)
        case .bufferFull: logger.notice("Upload buffer under pressure: writes are delayed", metadata: metadata)
        }
    }
}
