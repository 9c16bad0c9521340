// SPDX-License-Identifier: Apache-2.0

/// Decodes SCSI commands for one logical unit, LUN 0 of its target, without any state and without doing any I/O. A
/// command goes through `begin`; those whose meaning lies in their data-out go on through `finish`; what the volume
/// answers is turned into a result by the operation itself.
///
/// Only what needs no unit is answered here: an absent unit, an unknown command, INQUIRY and REPORT LUNS. The owner of
/// the unit judges everything else, in the order that SAM-5, SPC-4 and initiators rely on: unit attention,
/// reservations, sanitizing, readiness, write protection; then the CDB's fields, the range, limits, and the data-out's
/// length. Of the last four the decoder judges all but the range, and says with each error whether the range comes
/// before it.
package struct CommandDecoder: Sendable {
    /// Only its identity is used.
    package var unit: LogicalUnit

    package init(unit: LogicalUnit) { self.unit = unit }

    /// - Parameter expectedDataOutByteCount: the expected data transfer length of a command that sends data, else 0.
    package func begin(
        _ cdb: CDB, lun: LogicalUnitNumber, expectedDataOutByteCount: Int
    ) -> CommandDisposition {
        guard lun.index == 0 else { return .complete(answerForAbsentUnit(cdb)) }
        let definition: CommandDefinition
        do throws(SCSIError) {
            definition = try CommandTable.definition(of: cdb, isSanitizeAllowed: unit.isSanitizeAllowed)
        } catch {
            return .complete(CommandResult(error))
        }
        do throws(SCSIError) {
            try definition.checkControlByte(of: cdb)
            return try decode(definition.command, cdb, expectedDataOutByteCount: expectedDataOutByteCount)
        } catch {
            let result = CommandResult(error)
            // Nothing that the owner could say ranks before the fields of these two.
            let isAnsweredHere = definition.command == .inquiry || definition.command == .reportLUNs
            return isAnsweredHere ? .complete(result) : .check(nil, result)
        }
    }

    /// - Parameter dataOut: as many bytes of `command.dataOutByteCount` as the initiator sent.
    package func finish(_ command: ParameterDataCommand, dataOut: RawSpan) -> CommandDisposition {
        switch command.kind {
        case .unmap: finishUnmap(command, dataOut)
        case .writeSame(let sectors): finishWriteSame(sectors, command, dataOut)
        }
    }

    /// Throws only what ranks before the range.
    private func decode(
        _ command: OperationCode, _ cdb: CDB, expectedDataOutByteCount: Int
    ) throws(SCSIError) -> CommandDisposition {
        switch command {
        case .read6, .read10, .read12, .read16: return try beginRead(ReadCDB(cdb))
        case .write6, .write10, .write12, .write16: return try beginWrite(WriteCDB(cdb), kind: .write)
        case .orWrite16: return try beginWrite(WriteCDB(cdb), kind: .orWrite)
        case .writeAndVerify10, .writeAndVerify12, .writeAndVerify16: return try beginWriteAndVerify(VerifyCDB(cdb))
        case .writeAtomic16: return try beginWriteAtomic(WriteAtomicCDB(cdb))
        case .verify10, .verify12, .verify16:
            return try beginVerify(VerifyCDB(cdb), expectedDataOutByteCount: expectedDataOutByteCount)
        case .prefetch10, .prefetch16: return beginPrefetch(PrefetchCDB(cdb))
        case .synchronizeCache10, .synchronizeCache16: return beginSynchronizeCache(SynchronizeCacheCDB(cdb))
        case .compareAndWrite:
            return try beginCompareAndWrite(
                CompareAndWriteCDB(cdb), expectedDataOutByteCount: expectedDataOutByteCount)
        case .unmap: return try beginUnmap(UnmapCDB(cdb))
        case .writeSame10, .writeSame16:
            return try beginWriteSame(WriteSameCDB(cdb), expectedDataOutByteCount: expectedDataOutByteCount)
        case .testUnitReady: return .check(nil, .good)
        case .inquiry: return .complete(try inquiry(InquiryCDB(cdb)))
        case .reportLUNs: return .complete(try unit.reportLUNs(cdb))
        case .requestSense, .readCapacity10, .readCapacity16, .getLBAStatus, .modeSense6, .modeSense10, .modeSelect6,
            .modeSelect10, .logSense, .readDefectData10, .readDefectData12, .startStopUnit,
            .preventAllowMediumRemoval, .reserve6, .reserve10, .release6, .release10, .sanitizeBlockErase,
            .sanitizeCryptographicErase, .sanitizeExitFailureMode, .persistentReadKeys, .persistentReadReservation,
            .persistentReportCapabilities, .persistentReadFullStatus, .persistentRegister, .persistentReserve,
            .persistentRelease, .persistentClear, .persistentPreempt, .persistentPreemptAndAbort,
            .persistentRegisterAndIgnoreExistingKey, .persistentRegisterAndMove, .extendedCopy, .receiveCopyStatus,
            .receiveCopyOperatingParameters, .reportTargetPortGroups, .reportSupportedOperationCodes,
            .reportSupportedTaskManagementFunctions:
            return .deviceServer(dataOutByteCount: parameterListByteCount(of: command, cdb))
        }
    }

    /// What to collect for the device server. It sees the CDB too, so that it knows a list that was cut.
    private func parameterListByteCount(of command: OperationCode, _ cdb: CDB) -> Int {
        let length =
            switch command {
            case .modeSelect6, .modeSelect10: ModeSelectCDB(cdb).parameterListLength
            case .persistentRegister, .persistentReserve, .persistentRelease, .persistentClear, .persistentPreempt,
                .persistentPreemptAndAbort, .persistentRegisterAndIgnoreExistingKey, .persistentRegisterAndMove:
                PersistentReserveOutCDB(cdb).parameterListLength
            case .extendedCopy: ExtendedCopyCDB(cdb).parameterListLength
            default: 0
            }
        return min(length, BlockLimits.maximumParameterListByteCount)
    }

    /// A LUN without a unit still says so, and still names the units there are (SPC-4 §6.6, §6.33).
    private func answerForAbsentUnit(_ cdb: CDB) -> CommandResult {
        do throws(SCSIError) {
            let command = try? CommandTable.definition(of: cdb, isSanitizeAllowed: unit.isSanitizeAllowed).command
            switch command {
            case .inquiry: return try inquiryOfAbsentUnit(InquiryCDB(cdb))
            case .reportLUNs: return try unit.reportLUNs(cdb)
            case .requestSense:
                return LogicalUnit.requestSense(cdb, SCSIError.logicalUnitNotSupported.sense)
            default: throw .logicalUnitNotSupported
            }
        } catch {
            return CommandResult(error)
        }
    }
}
