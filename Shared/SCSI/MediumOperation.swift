// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What a decoded command wants of the volume; plain data, so that a command slot holds it without reference counting.
///
/// `sectors` is what the CDB says, not yet judged against the medium: the owner applies `LogicalUnit.contains`. It is
/// not empty except for a flush or a prefetch, where no count means to the end; a flush covers the whole volume anyhow.
package struct MediumOperation: Equatable, Sendable {
    package enum Kind: Sendable {
        case read
        /// Payload: the data.
        case write
        /// Payload: one logical block, repeated over the range.
        case writeSame
        /// Payload: what must be there, then what to write, each as long as the range.
        case compareAndWrite
        /// Payload: what must be there. Nothing is written.
        case verify
        /// Payload: one logical block, which each of the range must be like. Nothing is written.
        case verifySame
        /// Payload: what is ORed into what is there, in one step.
        case orWrite
        case flush
        /// No payload: a hint that the sectors will be read.
        case prefetch
    }

    package var kind: Kind
    package var sectors: SectorRange
    /// What the initiator counts in; the range is made of such blocks.
    package var blockSize: LogicalBlockSize
    /// Durable before it is answered.
    package var forceUnitAccess: Bool
    /// The data is not worth keeping in a cache (DPO).
    package var disablePageOut: Bool

    package init(
        kind: Kind, sectors: SectorRange, blockSize: LogicalBlockSize = .sector, forceUnitAccess: Bool = false,
        disablePageOut: Bool = false
    ) {
        self.kind = kind
        self.sectors = sectors
        self.blockSize = blockSize
        self.forceUnitAccess = forceUnitAccess
        self.disablePageOut = disablePageOut
    }

    /// What the command takes from the initiator: the SCSI transfer length that residuals are counted from.
    package var dataOutByteCount: Int {
        switch kind {
        case .read, .flush, .prefetch: 0
        case .write, .verify, .orWrite: sectors.byteCount
        case .writeSame, .verifySame: blockSize.byteCount
        case .compareAndWrite: 2 * sectors.byteCount
        }
    }

    /// What the command returns to the initiator, likewise.
    package var dataInByteCount: Int { kind == .read ? sectors.byteCount : 0 }

    /// What really moves when the initiator expects `expectedByteCount` bytes in the command's direction (0 when it
    /// asked for the other direction, or none): the start of the range, up to there. Nil when that is nothing: the
    /// volume is not asked to move anything, and the command's result is that of `.good`.
    package func transfer(expectedByteCount: Int) -> MediumTransfer? {
        precondition(expectedByteCount >= 0)
        switch kind {
        case .read, .write, .orWrite:
            let byteCount = min(expectedByteCount, sectors.byteCount)
            return byteCount == 0 ? nil : MediumTransfer(startOf: sectors, byteCount: byteCount)
        case .writeSame, .compareAndWrite, .verify, .verifySame, .flush, .prefetch:
            // `begin` refuses these unless the initiator sends what they need.
            return MediumTransfer(whole: sectors, byteCount: dataOutByteCount)
        }
    }

    /// The answer once the volume has one. For a good read the data is in the transport's buffer, not in the result.
    package func result(of outcome: MediumOutcome) -> CommandResult {
        CommandResult(outcome, blockSize, dataOutByteCount: dataOutByteCount, dataInByteCount: dataInByteCount)
    }
}

/// The part of a read or write that the initiator's expected data transfer length leaves. Sectors also where logical
/// blocks are larger: of a block that is written in part the rest stays as it is.
package struct MediumTransfer: Equatable, Sendable {
    /// Every sector touched.
    package var sectors: SectorRange
    /// Bytes on the wire.
    package var byteCount: Int
    /// How many bytes of the last sector move; 0 when all of them do. A write with a partial tail is a
    /// read-modify-write: read `tailSector`, put its remaining bytes behind the received ones, write `sectors`. For an
    /// ORWRITE the remaining bytes are zeros, which change nothing whatever is there by then.
    package var partialTailByteCount: Int

    init(startOf sectors: SectorRange, byteCount: Int) {
        let count = (byteCount + Geometry.sectorByteCount - 1) / Geometry.sectorByteCount
        self.sectors = SectorRange(start: sectors.start, count: UInt32(count))
        self.byteCount = byteCount
        partialTailByteCount = byteCount % Geometry.sectorByteCount
    }

    init(whole sectors: SectorRange, byteCount: Int) {
        self.sectors = sectors
        self.byteCount = byteCount
        partialTailByteCount = 0
    }

    package var tailSector: SectorRange? {
        guard partialTailByteCount > 0 else { return nil }
        return SectorRange(start: sectors.end - 1, count: 1)
    }
}
