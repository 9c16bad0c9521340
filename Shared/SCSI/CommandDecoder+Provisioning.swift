// SPDX-License-Identifier: Apache-2.0
import Wire

/// UNMAP and WRITE SAME, the commands whose data-out decides what happens.
extension CommandDecoder {
    func beginUnmap(_ fields: UnmapCDB) throws(SCSIError) -> CommandDisposition {
        if fields.anchor { throw .invalidFieldInCDB(byte: 1, bit: 0) }
        guard fields.parameterListLength > 0 else { return .check(nil, .good) }
        guard fields.parameterListLength >= UnmapParameterList.headerByteCount else {
            throw .parameterListLengthError
        }
        return .parameterData(
            ParameterDataCommand(kind: .unmap, dataOutByteCount: fields.parameterListLength))
    }

    func finishUnmap(_ command: ParameterDataCommand, _ dataOut: RawSpan) -> CommandDisposition {
        do throws(SCSIError) {
            let ranges = try UnmapParameterList.ranges(in: dataOut, unit.blockSize)
            let operation = UnmapOperation(
                ranges: ranges, blockSize: unit.blockSize, dataOutByteCount: command.dataOutByteCount)
            return ranges.isEmpty ? .check(nil, operation.result(of: .good)) : .unmap(operation)
        } catch {
            return .check(nil, CommandResult(error, transferByteCount: command.dataOutByteCount))
        }
    }

    /// A count of 0 would mean "to the end of the medium", which WSNZ=1 in the block limits page rules out. The range
    /// is judged before the limit, and both before the data length.
    func beginWriteSame(
        _ fields: WriteSameCDB, expectedDataOutByteCount: Int
    ) throws(SCSIError) -> CommandDisposition {
        let sectors = fields.blocks.sectors(unit.blockSize)
        try checkProtection(fields.protection)
        if fields.anchor { throw .invalidFieldInCDB(byte: 1, bit: 4) }
        if fields.writesAddresses { throw .invalidFieldInCDB(byte: 1, bit: 2) }
        guard 1...BlockLimits.maximumWriteSameBlockCount(unit.blockSize) ~= fields.blocks.blockCount else {
            return .check(sectors, invalidField(fields.blocks.countByte))
        }
        // Initiators unmap without sending a block, although SBC-3 wants one.
        if fields.noDataOut || (fields.unmap && expectedDataOutByteCount == 0) {
            return .unmap(UnmapOperation(ranges: [sectors], blockSize: unit.blockSize, dataOutByteCount: 0))
        }
        guard expectedDataOutByteCount == unit.blockSize.byteCount else {
            return .check(sectors, CommandResult(.invalidFieldInCommandInformationUnit))
        }
        return .parameterData(
            ParameterDataCommand(kind: .writeSame(sectors), dataOutByteCount: unit.blockSize.byteCount))
    }

    /// Unmapped sectors read as zeros, so zeros are unmapped whether or not the initiator said UNMAP; anything else is
    /// written even if it did, since that alone makes reads return it.
    func finishWriteSame(
        _ sectors: SectorRange, _ command: ParameterDataCommand, _ dataOut: RawSpan
    ) -> CommandDisposition {
        guard dataOut.byteCount == unit.blockSize.byteCount else {
            return .check(
                sectors,
                CommandResult(.invalidFieldInCommandInformationUnit, transferByteCount: command.dataOutByteCount))
        }
        for offset in stride(from: 0, to: dataOut.byteCount, by: 8)
        where dataOut.bigEndian(at: offset, as: UInt64.self) != 0 {
            return .medium(MediumOperation(kind: .writeSame, sectors: sectors, blockSize: unit.blockSize))
        }
        return .unmap(
            UnmapOperation(ranges: [sectors], blockSize: unit.blockSize, dataOutByteCount: command.dataOutByteCount))
    }
}
