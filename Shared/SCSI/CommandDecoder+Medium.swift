// SPDX-License-Identifier: Apache-2.0
import Wire

/// The commands that move sectors, or would.
extension CommandDecoder {
    func beginRead(_ fields: ReadCDB) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        return transfer(
            MediumOperation(
                kind: .read, sectors: fields.blocks.range, forceUnitAccess: fields.forceUnitAccess,
                disablePageOut: fields.disablePageOut),
            countByte: fields.blocks.countByte)
    }

    /// - Parameter kind: `write` or `orWrite`, which take the same data.
    func beginWrite(_ fields: WriteCDB, kind: MediumOperation.Kind) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        return transfer(
            MediumOperation(
                kind: kind, sectors: fields.blocks.range, forceUnitAccess: fields.forceUnitAccess,
                disablePageOut: fields.disablePageOut),
            countByte: fields.blocks.countByte)
    }

    /// To verify what was just written is to have it on the medium; comparing it too (BYTCHK 1) would compare the
    /// checksums that every read compares.
    func beginWriteAndVerify(_ fields: VerifyCDB) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        try checkByteCheck(fields.byteCheck)
        return transfer(
            MediumOperation(
                kind: .write, sectors: fields.blocks.range, forceUnitAccess: true,
                disablePageOut: fields.disablePageOut),
            countByte: fields.blocks.countByte)
    }

    /// Every write is whole or not there at all, up to the length that the block limits page announces. It announces no
    /// boundary, so none may be asked for.
    func beginWriteAtomic(_ fields: WriteAtomicCDB) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        let operation = MediumOperation(
            kind: .write, sectors: SectorRange(clamping: fields.address, count: fields.sectorCount),
            forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut)
        guard fields.boundary == 0 else {
            return .check(operation.sectors, invalidField(WriteAtomicCDB.boundaryByte))
        }
        return transfer(
            operation, countByte: WriteAtomicCDB.countByte, limit: BlockLimits.maximumAtomicSectorCount)
    }

    /// Without data there is nothing to compare and nothing to read: checksums are compared with every read, and by
    /// those who scrub. Data that comes nevertheless is dropped.
    func beginVerify(_ fields: VerifyCDB, expectedDataOutByteCount: Int) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        try checkByteCheck(fields.byteCheck)
        let operation = MediumOperation(
            kind: .verify, sectors: fields.blocks.range, disablePageOut: fields.disablePageOut)
        guard fields.byteCheck != 0 else { return .check(operation.sectors, .good) }
        let disposition = transfer(operation, countByte: fields.blocks.countByte)
        guard case .medium = disposition, expectedDataOutByteCount < operation.dataOutByteCount else {
            return disposition
        }
        return .check(operation.sectors, CommandResult(.invalidFieldInCommandInformationUnit))
    }

    func beginPrefetch(_ fields: PrefetchCDB) -> CommandDisposition {
        .medium(MediumOperation(kind: .prefetch, sectors: fields.blocks.range))
    }

    /// Everything acknowledged becomes durable, whatever part was asked for: the journal has only one end.
    func beginSynchronizeCache(_ fields: SynchronizeCacheCDB) -> CommandDisposition {
        .medium(MediumOperation(kind: .flush, sectors: fields.blocks.range))
    }

    /// The order of the checks is what initiators' tests expect: limit, range, then the data length. They encode 256
    /// sectors as 0, and are to hear of the length.
    func beginCompareAndWrite(
        _ fields: CompareAndWriteCDB, expectedDataOutByteCount: Int
    ) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        guard fields.sectorCount <= BlockLimits.maximumCompareAndWriteSectorCount else {
            throw .invalidFieldInCDB(byte: CompareAndWriteCDB.countByte, bit: nil)
        }
        let operation = MediumOperation(
            kind: .compareAndWrite, sectors: SectorRange(clamping: fields.address, count: fields.sectorCount),
            forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut)
        guard expectedDataOutByteCount == operation.dataOutByteCount else {
            return .check(operation.sectors, invalidField(CompareAndWriteCDB.countByte))
        }
        return fields.sectorCount == 0 ? .check(operation.sectors, .good) : .medium(operation)
    }

    /// A command that moves nothing still has to start inside the medium; one that moves too much has to lie inside it
    /// before that is told.
    private func transfer(
        _ operation: MediumOperation, countByte: Int, limit: UInt32 = BlockLimits.maximumTransferSectorCount
    ) -> CommandDisposition {
        guard operation.sectors.count <= limit else { return .check(operation.sectors, invalidField(countByte)) }
        return operation.sectors.count == 0 ? .check(operation.sectors, .good) : .medium(operation)
    }

    func invalidField(_ byte: Int) -> CommandResult { CommandResult(.invalidFieldInCDB(byte: byte, bit: nil)) }

    /// The unit is not formatted with protection information, so every other value of the field is invalid.
    func checkProtection(_ protection: UInt8) throws(SCSIError) {
        if protection != 0 { throw .invalidFieldInCDB(byte: 1, bit: 7) }
    }

    /// BYTCHK: 2 is reserved, and 3, one sector to compare all with, is for those who write such patterns.
    private func checkByteCheck(_ byteCheck: UInt8) throws(SCSIError) {
        if byteCheck > 1 { throw .invalidFieldInCDB(byte: 1, bit: 2) }
    }
}
