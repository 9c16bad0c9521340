// SPDX-License-Identifier: Apache-2.0
import Wire

/// The commands that move sectors, or would.
extension CommandDecoder {
    func beginRead(_ fields: ReadCDB) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        return transfer(
            operation(
                .read, fields.blocks, forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut),
            countByte: fields.blocks.countByte)
    }

    /// - Parameter kind: `write` or `orWrite`, which take the same data.
    func beginWrite(_ fields: WriteCDB, kind: MediumOperation.Kind) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        return transfer(
            operation(
                kind, fields.blocks, forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut),
            countByte: fields.blocks.countByte)
    }

    /// To verify what was just written is to have it on the medium; comparing it too (BYTCHK 1) would compare the
    /// checksums that every read compares.
    func beginWriteAndVerify(_ fields: VerifyCDB) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        // Comparing with one block is VERIFY's alone.
        if fields.byteCheck > 1 { throw .invalidFieldInCDB(byte: 1, bit: 2) }
        return transfer(
            operation(.write, fields.blocks, forceUnitAccess: true, disablePageOut: fields.disablePageOut),
            countByte: fields.blocks.countByte)
    }

    /// Every write is whole or not there at all, up to the length that the block limits page announces. It announces no
    /// boundary, so none may be asked for.
    func beginWriteAtomic(_ fields: WriteAtomicCDB) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        let operation = operation(
            .write, fields.blocks, forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut)
        guard fields.boundary == 0 else {
            return .check(operation.sectors, invalidField(WriteAtomicCDB.boundaryByte))
        }
        return transfer(
            operation, countByte: fields.blocks.countByte, limit: BlockLimits.maximumAtomicSectorCount)
    }

    /// Without data there is nothing to compare and nothing to read: checksums are compared with every read, and by
    /// those who scrub. Data that comes nevertheless is dropped.
    func beginVerify(_ fields: VerifyCDB, expectedDataOutByteCount: Int) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        if fields.byteCheck == 2 { throw .invalidFieldInCDB(byte: 1, bit: 2) }
        let kind = fields.byteCheck == 3 ? MediumOperation.Kind.verifySame : .verify
        let operation = operation(kind, fields.blocks, disablePageOut: fields.disablePageOut)
        guard fields.byteCheck != 0 else { return .check(operation.sectors, .good) }
        let disposition = transfer(operation, countByte: fields.blocks.countByte)
        guard case .medium = disposition, expectedDataOutByteCount < operation.dataOutByteCount else {
            return disposition
        }
        return .check(operation.sectors, CommandResult(.invalidFieldInCommandInformationUnit))
    }

    func beginPrefetch(_ fields: PrefetchCDB) -> CommandDisposition {
        .medium(operation(.prefetch, fields.blocks))
    }

    /// Everything acknowledged becomes durable, whatever part was asked for: the journal has only one end.
    func beginSynchronizeCache(_ fields: SynchronizeCacheCDB) -> CommandDisposition {
        .medium(operation(.flush, fields.blocks))
    }

    /// The order of the checks is what initiators' tests expect: limit, range, then the data length. They encode 256
    /// blocks as 0, and are to hear of the length.
    func beginCompareAndWrite(
        _ fields: CompareAndWriteCDB, expectedDataOutByteCount: Int
    ) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        let blocks = fields.blocks
        guard blocks.blockCount <= BlockLimits.maximumCompareAndWriteBlockCount else {
            throw .invalidFieldInCDB(byte: blocks.countByte, bit: nil)
        }
        let operation = operation(
            .compareAndWrite, blocks, forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut)
        guard expectedDataOutByteCount == operation.dataOutByteCount else {
            return .check(operation.sectors, invalidField(blocks.countByte))
        }
        return blocks.blockCount == 0 ? .check(operation.sectors, .good) : .medium(operation)
    }

    private func operation(
        _ kind: MediumOperation.Kind, _ blocks: BlockFields, forceUnitAccess: Bool = false,
        disablePageOut: Bool = false
    ) -> MediumOperation {
        MediumOperation(
            kind: kind, sectors: blocks.sectors(unit.blockSize), blockSize: unit.blockSize,
            forceUnitAccess: forceUnitAccess, disablePageOut: disablePageOut)
    }

    /// A command that moves nothing still has to start inside the medium; one that moves too much has to lie inside it
    /// before that is told.
    private func transfer(
        _ operation: MediumOperation, countByte: Int, limit: UInt32? = nil
    ) -> CommandDisposition {
        let limit = limit ?? BlockLimits.maximumTransferBlockCount * unit.blockSize.sectorCount
        guard operation.sectors.count <= limit else { return .check(operation.sectors, invalidField(countByte)) }
        return operation.sectors.count == 0 ? .check(operation.sectors, .good) : .medium(operation)
    }

    func invalidField(_ byte: Int) -> CommandResult { CommandResult(.invalidFieldInCDB(byte: byte, bit: nil)) }

    /// The unit is not formatted with protection information, so every other value of the field is invalid.
    func checkProtection(_ protection: UInt8) throws(SCSIError) {
        if protection != 0 { throw .invalidFieldInCDB(byte: 1, bit: 7) }
    }
}
