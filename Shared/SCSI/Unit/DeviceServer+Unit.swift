// SPDX-License-Identifier: Apache-2.0
import Wire

/// The commands that change how the unit works, and what it says of that: mode parameters, start and stop, sanitize.
extension DeviceServer {
    /// The pending unit attention, else what keeps the unit from serving, else nothing; always GOOD.
    mutating func requestSense(_ cdb: CDB, from origin: CommandOrigin) -> CommandResult {
        var sense = Sense.none
        let attention = state.nexuses.takeAttention(of: origin.nexus)
        if let attention {
            sense = SCSIError.unitAttention(attention).sense
        } else if state.isSanitizing {
            sense = SCSIError.sanitizeInProgress(progress: sanitizeProgress).sense
        } else {
            do throws(SCSIError) { try checkMedium() } catch { sense = error.sense }
        }
        let result = LogicalUnit.requestSense(cdb, sense)
        if attention != nil { state.answered.remember(.completed(result), of: origin) }
        return result
    }

    /// An initiator goes by what it has read of the write cache: Linux reads it when it scans the unit and never
    /// again. But who has read it may be a tool, or a layer above may not have heard of it: the first flush proves it.
    mutating func modeSense(_ cdb: CDB, by nexus: NexusID) throws(SCSIError) -> CommandResult {
        let result = try unit.modeSense(cdb, modeParameters)
        if unit.isWriteCacheEnabled, isWriteThrough(for: nexus), try unit.showsWriteCache(cdb, modeParameters) {
            // In memory: forgotten, the initiator is only slower.
            if writeCacheCandidates.count >= NexusTable.maximumAttachedCount { writeCacheCandidates = [] }
            writeCacheCandidates.insert(nexus)
        }
        return result
    }

    /// SYNCHRONIZE CACHE of this nexus: what it wrote before will be durable, and it flushes what it writes from now.
    package mutating func flushes(_ nexus: NexusID) {
        guard !writeCacheCandidates.isEmpty, writeCacheCandidates.remove(nexus) != nil else { return }
        change { $0.addWriteCacheReader(nexus) }
    }

    mutating func modeSelect(
        _ fields: ModeSelectCDB, _ dataOut: [UInt8], by nexus: NexusID
    ) throws(CommandRefusal) -> DeviceServerAction {
        if !fields.pageFormat { throw .invalidFieldInCDB(byte: 1, bit: 4) }
        if fields.savePages { throw .invalidFieldInCDB(byte: 1, bit: 0) }
        guard fields.parameterListLength > 0 else { return .complete(.good) }
        let list: ModeSelectParameterList
        do throws(SCSIError) {
            list = try ModeSelectParameterList(
                unsafe dataOut.span.bytes,  // Bytes have no invalid values.
                length: fields.parameterListLength, isLong: fields.isLong, of: unit, modeParameters)
        } catch {
            throw .error(error)
        }
        if let isProtected = list.isSoftwareWriteProtected, isProtected != state.isSoftwareWriteProtected {
            state.isSoftwareWriteProtected = isProtected
            state.nexuses.post(.modeParametersChanged, except: nexus)
        }
        return .complete(.good)
    }

    /// A medium that cannot be removed may be locked all the same.
    mutating func preventAllow(_ fields: PreventAllowMediumRemovalCDB, by nexus: NexusID) -> DeviceServerAction {
        state.nexuses.setPreventsRemoval(fields.prevent, by: nexus)
        return .complete(.good)
    }

    /// The unit works on whatever it is told, since initiators stop it when they shut down; but then everything that it
    /// acknowledged is to be safe. Only its medium can be away.
    mutating func startStop(
        _ fields: StartStopUnitCDB, by nexus: NexusID
    ) throws(CommandRefusal) -> DeviceServerAction {
        if fields.powerCondition != 0 { return .complete(.good) }
        if fields.loadEject { return try loadEject(fields, by: nexus) }
        return fields.start || fields.noFlush ? .complete(.good) : .flush(.good)
    }

    /// Nothing gets to an ejected medium any more, so that the flush is of all there will be. It is ejected also if the
    /// flush fails, of which the initiator is told; nothing acknowledged is lost by it.
    private mutating func loadEject(
        _ fields: StartStopUnitCDB, by nexus: NexusID
    ) throws(CommandRefusal) -> DeviceServerAction {
        guard unit.isRemovable else { throw .invalidFieldInCDB(byte: 4, bit: 1) }
        // A load, too: the one who locked the medium relies on nobody changing it.
        if state.nexuses.preventsRemoval { throw .error(.mediumRemovalPrevented) }
        let wasEjected = state.isEjected
        state.isEjected = !fields.start
        guard fields.start else { return .flush(.good) }
        if wasEjected { state.nexuses.post(.notReadyToReadyChange, except: nexus) }
        return .complete(.good)
    }

    /// Block erase and cryptographic erase are the same here: what is unmapped reads as zeros. What cannot be unmapped
    /// is tried again, so that there is no failure mode and leaving it is always done.
    mutating func sanitize(_ fields: SanitizeCDB, isErase: Bool) throws(CommandRefusal) -> DeviceServerAction {
        if fields.zonesNotReset { throw .invalidFieldInCDB(byte: 1, bit: 6) }
        if let byte = fields.firstReservedByteSet { throw .invalidFieldInCDB(byte: byte) }
        if fields.parameterListLength != 0 { throw .invalidFieldInCDB(byte: 7) }
        guard isErase else { return .complete(.good) }
        state.isSanitizing = true
        sanitizeProgress = 0
        return .sanitize(immediate: fields.immediate)
    }

    func lbaStatus(_ fields: GetLBAStatusCDB) throws(CommandRefusal) -> DeviceServerAction {
        guard fields.address < unit.blockCount else { throw .error(.logicalBlockAddressOutOfRange) }
        let allocationLength = fields.allocationLength
        return .lbaStatus(
            from: unit.blockSize.sectors(at: fields.address, count: 1).start,
            descriptorLimit: LBAStatus.descriptorLimit(allocationLength: allocationLength),
            allocationLength: allocationLength)
    }
}
