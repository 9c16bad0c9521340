// SPDX-License-Identifier: Apache-2.0

/// Decides SCSI commands for one logical unit, LUN 0 of its target, without doing any I/O. A command goes through
/// `begin`; those whose meaning lies in their data-out go on through `finish`; what the volume answers is turned into a
/// result by the operation itself. The checks run in the order that SAM-5, SPC-4 and initiators rely on: unit, opcode,
/// unit attention, readiness, write protection, CDB fields, range, limits, data-out length.
package struct DeviceServer: Sendable {
    package var unit: LogicalUnit

    package init(unit: LogicalUnit) { self.unit = unit }

    /// - Parameters:
    ///   - expectedDataOutByteCount: the expected data transfer length of a command that sends data, else 0.
    ///   - attentions: of this nexus and this unit.
    package func begin(
        _ cdb: CDB, lun: LogicalUnitNumber, expectedDataOutByteCount: Int, attentions: inout UnitAttentionQueue
    ) -> CommandDisposition {
        do throws(SCSIError) {
            guard lun.index == 0 else { return .complete(try answerForAbsentUnit(cdb, attentions: &attentions)) }
            let definition = try CommandTable.definition(of: cdb)
            let traits = definition.traits
            if !traits.contains(.passesUnitAttention), let attention = attentions.takeFirst() {
                throw .unitAttention(attention)
            }
            if traits.contains(.needsReadyUnit) { try unit.checkReady() }
            if traits.contains(.writes), unit.isReadOnly { throw .writeProtected }
            try checkControlByte(of: cdb, at: definition.byteCount - 1)
            return try dispatch(
                definition.command, cdb, expectedDataOutByteCount: expectedDataOutByteCount, attentions: &attentions)
        } catch {
            return .complete(CommandResult(error))
        }
    }

    /// - Parameter dataOut: as many bytes of `command.dataOutByteCount` as the initiator sent.
    package func finish(_ command: ParameterDataCommand, dataOut: RawSpan) -> CommandDisposition {
        do throws(SCSIError) {
            switch command.kind {
            case .unmap: return try finishUnmap(command, dataOut)
            case .writeSame(let sectors): return try finishWriteSame(sectors, command, dataOut)
            }
        } catch {
            return .complete(CommandResult(error, transferByteCount: command.dataOutByteCount))
        }
    }

    private func dispatch(
        _ command: OperationCode, _ cdb: CDB, expectedDataOutByteCount: Int, attentions: inout UnitAttentionQueue
    ) throws(SCSIError) -> CommandDisposition {
        switch command {
        case .read6, .read10, .read12, .read16: return try beginRead(ReadCDB(cdb))
        case .write10, .write12, .write16: return try beginWrite(WriteCDB(cdb))
        case .synchronizeCache10, .synchronizeCache16: return try beginSynchronizeCache(SynchronizeCacheCDB(cdb))
        case .unmap: return try beginUnmap(UnmapCDB(cdb))
        case .writeSame10, .writeSame16:
            return try beginWriteSame(WriteSameCDB(cdb), expectedDataOutByteCount: expectedDataOutByteCount)
        case .compareAndWrite:
            return try beginCompareAndWrite(
                CompareAndWriteCDB(cdb), expectedDataOutByteCount: expectedDataOutByteCount)
        case .testUnitReady: return .complete(.good)
        case .requestSense: return .complete(requestSense(RequestSenseCDB(cdb), attentions: &attentions))
        case .inquiry: return .complete(try inquiry(InquiryCDB(cdb)))
        case .modeSense6, .modeSense10: return .complete(try modeSense(ModeSenseCDB(cdb)))
        case .readCapacity10: return .complete(readCapacity10())
        case .readCapacity16: return .complete(readCapacity16(ReadCapacity16CDB(cdb)))
        case .getLBAStatus: return .complete(try lbaStatus(GetLBAStatusCDB(cdb)))
        case .reportLUNs: return .complete(try reportLUNs(ReportLUNsCDB(cdb), attentions: &attentions))
        }
    }

    /// A LUN without a unit still says so, and still names the units there are (SPC-4 §6.6, §6.33).
    private func answerForAbsentUnit(
        _ cdb: CDB, attentions: inout UnitAttentionQueue
    ) throws(SCSIError) -> CommandResult {
        guard let definition = try? CommandTable.definition(of: cdb) else { throw .logicalUnitNotSupported }
        switch definition.command {
        case .inquiry:
            return try inquiryOfAbsentUnit(InquiryCDB(cdb))
        case .requestSense:
            let fields = RequestSenseCDB(cdb)
            return CommandResult(
                dataIn: SCSIError.logicalUnitNotSupported.sense.encoded(fields.format),
                allocationLength: fields.allocationLength)
        case .reportLUNs:
            return try reportLUNs(ReportLUNsCDB(cdb), attentions: &attentions)
        default:
            throw .logicalUnitNotSupported
        }
    }

    /// NACA asks for auto contingent allegiance, which INQUIRY says we do not have (SAM-5 §5.2).
    private func checkControlByte(of cdb: CDB, at index: Int) throws(SCSIError) {
        if cdb.bit(2, ofByte: index) { throw .invalidFieldInCDB(byte: index, bit: 2) }
    }
}
