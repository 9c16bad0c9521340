// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What one volume says of itself over SCSI. A value owned by whoever serves the target; changing it (a resize, a
/// volume that is fenced) takes effect with the next command, and the owner posts the unit attention that goes with it.
package struct LogicalUnit: Equatable, Sendable {
    package enum Readiness: Sendable {
        case ready
        /// Recovering: worth asking again soon.
        case becomingReady
        /// Another gateway owns the volume: nothing here will bring it back.
        case manualInterventionRequired
    }

    /// Names the unit in INQUIRY data on every path alike; never derived from target or portal.
    package var volume: VolumeID
    /// Sectors of 512 bytes; at least one logical block.
    package var sectorCount: UInt64 {
        didSet { precondition(blockCount > 0) }
    }
    /// What initiators count in; for ever the same.
    package let blockSize: LogicalBlockSize
    /// Whether initiators may eject the medium and load it again; for ever the same.
    package let isRemovable: Bool
    /// False when writes are acknowledged only once durable.
    package var isWriteCacheEnabled: Bool
    package var isReadOnly: Bool
    package var readiness: Readiness
    /// Whether SANITIZE, which no snapshot undoes, exists for this unit.
    package var isSanitizeAllowed: Bool
    package var targetName: String
    /// At most 8 graphic ASCII characters; longer is cut, anything else becomes a space.
    package var vendor: String
    /// At most 16.
    package var product: String
    /// At most 4.
    package var revision: String

    package init(
        volume: VolumeID, sectorCount: UInt64, blockSize: LogicalBlockSize = .sector, targetName: String,
        isRemovable: Bool = false, isWriteCacheEnabled: Bool = true, isReadOnly: Bool = false,
        readiness: Readiness = .ready,
        isSanitizeAllowed: Bool = false,
        vendor: String = "SLUICE", product: String = "VOLUME", revision: String = "1"
    ) {
        precondition(sectorCount >= UInt64(blockSize.sectorCount))
        self.volume = volume
        self.sectorCount = sectorCount
        self.blockSize = blockSize
        self.isRemovable = isRemovable
        self.isWriteCacheEnabled = isWriteCacheEnabled
        self.isReadOnly = isReadOnly
        self.readiness = readiness
        self.isSanitizeAllowed = isSanitizeAllowed
        self.targetName = targetName
        self.vendor = vendor
        self.product = product
        self.revision = revision
    }

    /// Sectors behind the last whole block belong to nobody.
    package var blockCount: UInt64 { sectorCount / UInt64(blockSize.sectorCount) }

    package var serialNumber: String { volume.description }

    /// Whether the sectors of any command but UNMAP exist. No sectors must still start inside the medium. The
    /// subtraction cannot overflow, whatever the initiator sent.
    package func contains(_ sectors: SectorRange) -> Bool {
        sectors.start < sectorCount && UInt64(sectors.count) <= sectorCount - sectors.start
    }

    /// The same for the ranges of an `UnmapOperation`: one sector past the end is a legal place for nothing.
    package func contains(unmapped sectors: SectorRange) -> Bool {
        sectors.start <= sectorCount && UInt64(sectors.count) <= sectorCount - sectors.start
    }

    package func checkReady() throws(SCSIError) {
        switch readiness {
        case .ready: return
        case .becomingReady: throw .becomingReady
        case .manualInterventionRequired: throw .manualInterventionRequired
        }
    }
}
