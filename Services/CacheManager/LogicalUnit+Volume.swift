// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import SCSI
import Wire

extension LogicalUnit {
    /// The unit that a volume is to initiators now.
    init(_ hosted: HostedVolume) {
        self.init(
            hosted.id, hosted.settings, hosted.blockSize, isRemovable: hosted.isRemovable, readiness: hosted.readiness)
        if hosted.engine?.isDurabilityPending == true { isWriteCacheEnabled = true }
    }

    /// The unit of a volume that is not open yet.
    init(_ head: Head) {
        self.init(head.volume, head.settings, head.blockSize, isRemovable: head.isRemovable, readiness: .ready)
    }

    private init(
        _ volume: VolumeID, _ settings: HeadSettings, _ blockSize: LogicalBlockSize, isRemovable: Bool,
        readiness: Readiness
    ) {
        let sectorCount = settings.byteCount / UInt64(Geometry.sectorByteCount)
        self.init(
            volume: volume, sectorCount: max(UInt64(blockSize.sectorCount), sectorCount), blockSize: blockSize,
            targetName: settings.targetName, isRemovable: isRemovable,
            isWriteCacheEnabled: Durability(headText: settings.durability) != .always,
            isReadOnly: settings.isReadOnly, readiness: readiness, isSanitizeAllowed: settings.isSanitizeAllowed)
    }
}

extension HostedVolume {
    /// What can run out is the upload buffer: the bucket takes what it is given, when it does.
    var provisioningUse: ProvisioningUse {
        let total = usableBufferByteCount / UInt64(Geometry.sectorByteCount)
        let used = min(total, (engine?.statistics.bufferUsedByteCount ?? 0) / UInt64(Geometry.sectorByteCount))
        return ProvisioningUse(availableSectorCount: total - used, usedSectorCount: used)
    }

    /// A fifth of the upload buffer: then writes are slowed down already.
    var provisioningThreshold: UInt64 { usableBufferByteCount / UInt64(Geometry.sectorByteCount) / 5 }

    /// While a volume opens its commands wait, so that initiators see a pause and no error.
    fileprivate var readiness: LogicalUnit.Readiness {
        guard problem == nil else { return .manualInterventionRequired }
        switch engine?.statistics.phase {
        case .fenced, .failed: return .manualInterventionRequired
        case nil, .opening, .serving, .stalled, .stopping, .stopped: return .ready
        }
    }
}

extension CommandResult {
    /// What a command of a unit fails with when the volume could not do its part; nil: it could.
    init?(_ reply: VolumeReply, _ blockSize: LogicalBlockSize) {
        switch reply {
        case .good, .data: return nil
        case .busy: self = .busy
        case .aborted: self = .taskAborted
        case .outOfRange: self.init(.logicalBlockAddressOutOfRange)
        case .mediumError(let sector):
            self.init(.unrecoveredReadError(blockAddress: blockSize.address(ofSector: sector)))
        case .writeError, .miscompare: self.init(.writeError)
        case .fenced: self.init(.manualInterventionRequired)
        }
    }
}

extension CommandResult {
    init(_ failure: ProvisioningFailure, _ blockSize: LogicalBlockSize) {
        switch failure {
        case .outOfRange: self.init(.logicalBlockAddressOutOfRange)
        case .busy: self = .busy
        case .mediumError(let sector):
            self.init(.unrecoveredReadError(blockAddress: blockSize.address(ofSector: sector)))
        case .fenced: self.init(.manualInterventionRequired)
        }
    }
}

extension LBAStatus.Extent {
    init(_ range: ProvisionedRange) { self.init(sectors: range.sectors, isMapped: range.isMapped) }
}

extension SectorRange {
    /// The whole of a volume, in ranges as long as one can be.
    static func all(sectorCount: UInt64) -> [SectorRange] {
        stride(from: 0, to: sectorCount, by: Int(UInt32.max)).map { start in
            SectorRange(start: start, count: UInt32(min(UInt64(UInt32.max), sectorCount - start)))
        }
    }
}
