// SPDX-License-Identifier: Apache-2.0
import Wire

/// UNMAP and WRITE SAME, the commands whose data-out decides what happens, and GET LBA STATUS.
extension DeviceServer {
    /// "Mapped or unknown" from there to the end, which is always true: what is mapped stands in the volume's map, and
    /// initiators ask only to save themselves reads.
    func lbaStatus(_ fields: GetLBAStatusCDB) throws(SCSIError) -> CommandResult {
        guard unit.contains(fields.address, count: 0) else { throw .logicalBlockAddressOutOfRange }
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(4 + 16))  // What follows: four reserved bytes and one descriptor.
        data.appendZeros(4)
        data.appendBigEndian(fields.address)
        data.appendBigEndian(UInt32(clamping: unit.sectorCount - fields.address))
        data.appendZeros(4)  // Provisioning status 0.
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    func beginUnmap(_ fields: UnmapCDB) throws(SCSIError) -> CommandDisposition {
        if fields.anchor { throw .invalidFieldInCDB(byte: 1, bit: 0) }
        guard fields.parameterListLength > 0 else { return .complete(.good) }
        guard fields.parameterListLength >= UnmapParameterList.headerByteCount else {
            throw .parameterListLengthError
        }
        return .parameterData(
            ParameterDataCommand(kind: .unmap, dataOutByteCount: fields.parameterListLength))
    }

    func finishUnmap(_ command: ParameterDataCommand, _ dataOut: RawSpan) throws(SCSIError) -> CommandDisposition {
        let ranges = try UnmapParameterList.ranges(in: dataOut, of: unit)
        let operation = UnmapOperation(ranges: ranges, dataOutByteCount: command.dataOutByteCount)
        return ranges.isEmpty ? .complete(operation.result(of: .good)) : .unmap(operation)
    }

    /// A count of 0 would mean "to the end of the medium", which WSNZ=1 in the block limits page rules out. The range
    /// is judged before the limit, and both before the data length.
    func beginWriteSame(
        _ fields: WriteSameCDB, expectedDataOutByteCount: Int
    ) throws(SCSIError) -> CommandDisposition {
        let blocks = fields.blocks
        try checkProtection(fields.protection)
        if fields.anchor { throw .invalidFieldInCDB(byte: 1, bit: 4) }
        if fields.writesAddresses { throw .invalidFieldInCDB(byte: 1, bit: 2) }
        guard unit.contains(blocks.address, count: 0) else { throw .logicalBlockAddressOutOfRange }
        guard blocks.sectorCount > 0 else { throw .invalidFieldInCDB(byte: blocks.countByte, bit: nil) }
        guard unit.contains(blocks.address, count: blocks.sectorCount) else { throw .logicalBlockAddressOutOfRange }
        guard blocks.sectorCount <= BlockLimits.maximumWriteSameSectorCount else {
            throw .invalidFieldInCDB(byte: blocks.countByte, bit: nil)
        }
        let sectors = SectorRange(start: blocks.address, count: blocks.sectorCount)
        // Initiators unmap without sending a block, although SBC-3 wants one.
        if fields.noDataOut || (fields.unmap && expectedDataOutByteCount == 0) {
            return .unmap(UnmapOperation(ranges: [sectors], dataOutByteCount: 0))
        }
        guard expectedDataOutByteCount == Geometry.sectorByteCount else {
            throw .invalidFieldInCommandInformationUnit
        }
        return .parameterData(
            ParameterDataCommand(kind: .writeSame(sectors), dataOutByteCount: Geometry.sectorByteCount))
    }

    /// Unmapped sectors read as zeros, so zeros are unmapped whether or not the initiator said UNMAP; anything else is
    /// written even if it did, since that alone makes reads return it.
    func finishWriteSame(
        _ sectors: SectorRange, _ command: ParameterDataCommand, _ dataOut: RawSpan
    ) throws(SCSIError) -> CommandDisposition {
        guard dataOut.byteCount == Geometry.sectorByteCount else { throw .invalidFieldInCommandInformationUnit }
        for offset in stride(from: 0, to: Geometry.sectorByteCount, by: 8)
        where dataOut.bigEndian(at: offset, as: UInt64.self) != 0 {
            return .medium(MediumOperation(kind: .writeSame, sectors: sectors))
        }
        return .unmap(UnmapOperation(ranges: [sectors], dataOutByteCount: command.dataOutByteCount))
    }
}
