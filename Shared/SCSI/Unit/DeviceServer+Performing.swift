// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Commands that the decoder leaves to the owner of the unit, each carried out once however often its request comes.
extension DeviceServer {
    /// - Parameters:
    ///   - dataOut: as much of the parameter list as the initiator sent, if the command has one.
    ///   - resolve: the unit of that volume, if the initiator may use it.
    package mutating func perform(
        _ cdb: CDB, dataOut: [UInt8], from origin: CommandOrigin, resolve: (VolumeID) -> CopyTarget? = { _ in nil }
    ) -> DeviceServerAction {
        defer { updateEventful() }
        let action = decide(cdb, dataOut, from: origin, resolve: resolve)
        return action.taking(dataOutByteCount: dataOut.count)
    }

    private mutating func decide(
        _ cdb: CDB, _ dataOut: [UInt8], from origin: CommandOrigin, resolve: (VolumeID) -> CopyTarget?
    ) -> DeviceServerAction {
        if runningCopies.contains(where: { $0.isOf(origin) }) { return .inProgress }
        switch state.answered.verdict(on: origin) {
        case .answered(let answer): return DeviceServerAction(repeating: answer)
        case .stale: return .complete(.busy)
        case .new: break
        }
        guard state.nexuses.takeIn(origin.nexus, through: origin.frontend) else { return .complete(.busy) }
        do throws(SCSIError) {
            let definition = try CommandTable.definition(of: cdb, isSanitizeAllowed: unit.isSanitizeAllowed)
            if let refusal = refusal(of: Self.traits(of: definition, cdb), from: origin.nexus) {
                state.answered.remember(.refused(refusal.result), of: origin)
                return .complete(refusal.result)
            }
            try definition.checkControlByte(of: cdb)
            return carryOutOnce(definition.command, cdb, dataOut, from: origin, resolve: resolve)
        } catch {
            return .complete(CommandResult(error))
        }
    }

    /// Remembers the answer of a command that may change something, also if this one did not: if it came again, it
    /// might.
    private mutating func carryOutOnce(
        _ command: OperationCode, _ cdb: CDB, _ dataOut: [UInt8], from origin: CommandOrigin,
        resolve: (VolumeID) -> CopyTarget?
    ) -> DeviceServerAction {
        let former = command.changesState ? state : nil
        let action: DeviceServerAction
        do throws(CommandRefusal) {
            action = try carryOut(command, cdb, dataOut, from: origin, resolve: resolve)
        } catch {
            action = .complete(error.result)
        }
        if let former {
            if state != former { needsSaving = true }
            if let answer = action.answerToRemember { state.answered.remember(answer, of: origin) }
        }
        return action
    }

    private mutating func carryOut(
        _ command: OperationCode, _ cdb: CDB, _ dataOut: [UInt8], from origin: CommandOrigin,
        resolve: (VolumeID) -> CopyTarget?
    ) throws(CommandRefusal) -> DeviceServerAction {
        switch command {
        case .testUnitReady: return .complete(.good)
        case .requestSense: return .complete(requestSense(cdb, from: origin))
        case .reserve6, .reserve10: return try reserve(ReserveCDB(cdb), by: origin.nexus)
        case .release6, .release10: return try release(ReserveCDB(cdb), by: origin.nexus)
        case .persistentRegister, .persistentReserve, .persistentRelease, .persistentClear, .persistentPreempt,
            .persistentPreemptAndAbort, .persistentRegisterAndIgnoreExistingKey, .persistentRegisterAndMove:
            return try persistentReserveOut(cdb, dataOut, by: origin.nexus)
        case .persistentReadKeys, .persistentReadReservation, .persistentReportCapabilities, .persistentReadFullStatus:
            return try persistentReserveIn(cdb)
        case .modeSelect6, .modeSelect10: return try modeSelect(ModeSelectCDB(cdb), dataOut, by: origin.nexus)
        case .preventAllowMediumRemoval: return preventAllow(PreventAllowMediumRemovalCDB(cdb), by: origin.nexus)
        case .startStopUnit: return try startStop(StartStopUnitCDB(cdb), by: origin.nexus)
        case .sanitizeBlockErase, .sanitizeCryptographicErase: return try sanitize(SanitizeCDB(cdb), isErase: true)
        case .sanitizeExitFailureMode: return try sanitize(SanitizeCDB(cdb), isErase: false)
        case .extendedCopy: return try extendedCopy(ExtendedCopyCDB(cdb), dataOut, from: origin, resolve: resolve)
        case .receiveCopyStatus: return try copyStatus(ReceiveCopyResultsCDB(cdb), of: origin.nexus)
        case .receiveCopyOperatingParameters:
            let fields = ReceiveCopyResultsCDB(cdb)
            return .complete(
                CommandResult(dataIn: CopyLimits.operatingParameters, allocationLength: fields.allocationLength))
        case .getLBAStatus: return try lbaStatus(GetLBAStatusCDB(cdb))
        default:
            do throws(SCSIError) { return .complete(try describe(command, cdb, to: origin.nexus)) } catch {
                throw .error(error)
            }
        }
    }

    private mutating func describe(
        _ command: OperationCode, _ cdb: CDB, to nexus: NexusID
    ) throws(SCSIError) -> CommandResult {
        switch command {
        case .readCapacity10: return unit.readCapacity10()
        case .readCapacity16: return unit.readCapacity16(cdb)
        case .modeSense6, .modeSense10: return try modeSense(cdb, by: nexus)
        case .logSense: return try unit.logSense(cdb, provisioningUse)
        case .readDefectData10, .readDefectData12: return unit.readDefectData(cdb)
        case .reportTargetPortGroups: return try unit.reportTargetPortGroups(cdb)
        case .reportSupportedOperationCodes: return try unit.reportSupportedOperationCodes(cdb)
        case .reportSupportedTaskManagementFunctions: return unit.reportSupportedTaskManagementFunctions(cdb)
        case .reportLUNs: return try unit.reportLUNs(cdb)
        // The decoder leaves nothing else to the owner.
        default: throw .invalidOperationCode
        }
    }
}

extension OperationCode {
    /// Whether carrying it out twice may differ from once. A REQUEST SENSE that takes a unit attention sees to that
    /// itself.
    package var changesState: Bool {
        switch self {
        case .reserve6, .reserve10, .release6, .release10, .persistentRegister, .persistentReserve, .persistentRelease,
            .persistentClear, .persistentPreempt, .persistentPreemptAndAbort, .persistentRegisterAndIgnoreExistingKey,
            .persistentRegisterAndMove,
            .modeSelect6, .modeSelect10, .preventAllowMediumRemoval, .startStopUnit, .sanitizeBlockErase,
            .sanitizeCryptographicErase,
            .extendedCopy:
            true
        default: false
        }
    }
}

extension DeviceServerAction {
    fileprivate init(repeating answer: CommandMemory.Answer) {
        self =
            switch answer {
            case .refused(let result), .completed(let result): .complete(result)
            case .flushes(let result): .flush(result)
            case .abortsTasks(let nexuses, let result): .abortTasks(of: nexuses, result)
            case .sanitizes: .sanitize(immediate: false)
            }
    }

    /// Nil for a copy: it is remembered once it is done.
    fileprivate var answerToRemember: CommandMemory.Answer? {
        switch self {
        case .complete(let result): .completed(result)
        case .flush(let result): .flushes(result)
        case .abortTasks(let nexuses, let result): .abortsTasks(of: nexuses, result)
        case .sanitize(let immediate): immediate ? .completed(.good) : .sanitizes
        case .copy, .lbaStatus, .inProgress: nil
        }
    }

    /// Residuals are counted from what the command took.
    fileprivate func taking(dataOutByteCount: Int) -> Self {
        func counted(_ result: CommandResult) -> CommandResult {
            var result = result
            if result.dataIn.isEmpty { result.transferByteCount = dataOutByteCount }
            return result
        }
        switch self {
        case .complete(let result): return .complete(counted(result))
        case .flush(let result): return .flush(counted(result))
        case .abortTasks(let nexuses, let result): return .abortTasks(of: nexuses, counted(result))
        case .copy, .lbaStatus, .sanitize, .inProgress: return self
        }
    }
}
