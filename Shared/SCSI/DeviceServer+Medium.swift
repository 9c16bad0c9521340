// SPDX-License-Identifier: Apache-2.0
import Wire

/// READ, WRITE, SYNCHRONIZE CACHE and COMPARE AND WRITE.
extension DeviceServer {
    func beginRead(_ fields: ReadCDB) throws(SCSIError) -> CommandDisposition {
        guard let sectors = try checkedRange(fields.blocks, protection: fields.protection) else {
            return .complete(.good)
        }
        return .medium(
            MediumOperation(
                kind: .read, sectors: sectors, forceUnitAccess: fields.forceUnitAccess,
                disablePageOut: fields.disablePageOut))
    }

    func beginWrite(_ fields: WriteCDB) throws(SCSIError) -> CommandDisposition {
        guard let sectors = try checkedRange(fields.blocks, protection: fields.protection) else {
            return .complete(.good)
        }
        return .medium(
            MediumOperation(
                kind: .write, sectors: sectors, forceUnitAccess: fields.forceUnitAccess,
                disablePageOut: fields.disablePageOut))
    }

    /// Everything acknowledged becomes durable, whatever part was asked for: the journal has only one end.
    func beginSynchronizeCache(_ fields: SynchronizeCacheCDB) throws(SCSIError) -> CommandDisposition {
        guard unit.contains(fields.blocks.address, count: fields.blocks.sectorCount) else {
            throw .logicalBlockAddressOutOfRange
        }
        return .medium(MediumOperation(kind: .flush, sectors: SectorRange(start: 0, count: 0)))
    }

    /// The order of the checks is what initiators' tests expect: limit, range, then the data length.
    func beginCompareAndWrite(
        _ fields: CompareAndWriteCDB, expectedDataOutByteCount: Int
    ) throws(SCSIError) -> CommandDisposition {
        try checkProtection(fields.protection)
        guard fields.sectorCount <= BlockLimits.maximumCompareAndWriteSectorCount else {
            throw .invalidFieldInCDB(byte: CompareAndWriteCDB.countByte, bit: nil)
        }
        guard unit.contains(fields.address, count: fields.sectorCount) else { throw .logicalBlockAddressOutOfRange }
        let operation = MediumOperation(
            kind: .compareAndWrite, sectors: SectorRange(start: fields.address, count: fields.sectorCount),
            forceUnitAccess: fields.forceUnitAccess, disablePageOut: fields.disablePageOut)
        guard expectedDataOutByteCount == operation.dataOutByteCount else {
            throw .invalidFieldInCDB(byte: CompareAndWriteCDB.countByte, bit: nil)
        }
        return fields.sectorCount == 0 ? .complete(.good) : .medium(operation)
    }

    /// Nil for a command that moves nothing.
    private func checkedRange(_ blocks: BlockFields, protection: UInt8) throws(SCSIError) -> SectorRange? {
        try checkProtection(protection)
        guard unit.contains(blocks.address, count: blocks.sectorCount) else { throw .logicalBlockAddressOutOfRange }
        guard blocks.sectorCount <= BlockLimits.maximumTransferSectorCount else {
            throw .invalidFieldInCDB(byte: blocks.countByte, bit: nil)
        }
        guard blocks.sectorCount > 0 else { return nil }
        return SectorRange(start: blocks.address, count: blocks.sectorCount)
    }

    /// The unit is not formatted with protection information, so every other value of the field is invalid.
    func checkProtection(_ protection: UInt8) throws(SCSIError) {
        if protection != 0 { throw .invalidFieldInCDB(byte: 1, bit: 7) }
    }
}
