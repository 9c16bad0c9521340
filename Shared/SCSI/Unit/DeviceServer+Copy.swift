// SPDX-License-Identifier: Apache-2.0
import Wire

/// EXTENDED COPY and what is asked about it later.
extension DeviceServer {
    mutating func extendedCopy(
        _ fields: ExtendedCopyCDB, _ dataOut: [UInt8], from origin: CommandOrigin,
        resolve: (VolumeID) -> CopyTarget?
    ) throws(CommandRefusal) -> DeviceServerAction {
        guard fields.parameterListLength > 0 else { return .complete(.good) }
        let list: CopyParameterList
        do throws(SCSIError) {
            let bytes = unsafe dataOut.span.bytes  // Bytes have no invalid values.
            list = try CopyParameterList(bytes, length: fields.parameterListLength)
        } catch {
            throw .error(error)
        }
        let listID = list.keepsStatus ? list.listID : nil
        if let listID, isRunning(listID, of: origin.nexus) { throw .error(.operationInProgress) }
        guard runningCopies.count < CopyLimits.maximumConcurrentCopyCount else { return .complete(.busy) }

        let segments: [CopyOperation.Segment]
        do throws(SCSIError) { segments = try resolved(list, resolve) } catch { throw .error(error) }
        if segments.contains(where: { $0.destination == unit.volume }), let error = writeProtection {
            throw .error(error)
        }
        let operation = CopyOperation(
            origin: origin, segments: segments, endsInFailure: segments.count < list.segments.count, listID: listID,
            dataOutByteCount: dataOut.count)
        if operation.segments.allSatisfy({ $0.sectors.count == 0 }) {
            record(operation, listID, completedSegmentCount: segments.count, hasFailed: operation.endsInFailure)
            return .complete(operation.result(isGood: true))
        }
        runningCopies.append(RunningCopy(operation))
        return .copy(operation)
    }

    /// The segments up to the first that names no unit or goes beyond one. What contradicts the limits or the units is
    /// told before anything is copied.
    private func resolved(
        _ list: CopyParameterList, _ resolve: (VolumeID) -> CopyTarget?
    ) throws(SCSIError) -> [CopyOperation.Segment] {
        var targets: [CopyTarget?] = []
        for target in list.targets {
            let unit = target.designator.flatMap(volume(named:)).flatMap(resolve)
            if let unit, let blockSize = target.blockSize, blockSize != unit.blockSize {
                throw .invalidFieldInParameterList(byte: target.blockSizeByte)
            }
            targets.append(unit)
        }
        func target(_ index: Int) -> CopyTarget? { targets.indices.contains(index) ? targets[index] : nil }
        for segment in list.segments {
            let length = segment.sectorCount(from: target(segment.sourceIndex), to: target(segment.destinationIndex))
            guard length <= CopyLimits.maximumSegmentSectorCount else {
                throw .invalidFieldInParameterList(byte: segment.lengthByte)
            }
        }
        var segments: [CopyOperation.Segment] = []
        for segment in list.segments {
            guard let source = target(segment.sourceIndex), let destination = target(segment.destinationIndex) else {
                break
            }
            let count = segment.sectorCount(from: source, to: destination)
            let sourceStart = source.blockSize.sectors(at: segment.sourceStart, count: 0).start
            let destinationStart = destination.blockSize.sectors(at: segment.destinationStart, count: 0).start
            guard source.contains(sourceStart, count: count), destination.contains(destinationStart, count: count)
            else { break }
            segments.append(
                CopyOperation.Segment(
                    source: source.volume, sectors: SectorRange(start: sourceStart, count: count),
                    destination: destination.volume, destinationStart: destinationStart))
        }
        return segments
    }

    /// The volume that has this NAA name, whether or not it exists: the reverse of what INQUIRY says of a unit.
    private func volume(named designator: [UInt8]) -> VolumeID? {
        guard designator.count == 16 else { return nil }
        var named = unit
        named.volume = VolumeID(rawValue: designator[8...].reduce(0) { $0 << 8 | UInt64($1) })
        return DeviceIdentificationPage.networkAddressAuthorityName(of: named) == designator ? named.volume : nil
    }

    /// - Parameters:
    ///   - completedSegmentCount: how many were copied; all of them if `isGood`.
    ///   - ending: its answer when it was aborted.
    /// - Returns: The answer, once the state is saved.
    package mutating func finishCopy(
        _ operation: CopyOperation, completedSegmentCount: Int, isGood: Bool, as ending: CommandResult? = nil
    ) -> CommandResult {
        let result = ending ?? operation.result(isGood: isGood)
        guard let position = runningCopies.firstIndex(where: { $0.isOf(operation.origin) }) else { return result }
        let copy = runningCopies.remove(at: position)
        record(operation, copy.listID, completedSegmentCount: completedSegmentCount, hasFailed: result.status != .good)
        change { if copy.isAnswered { $0.answered.remember(.completed(result), of: operation.origin) } }
        return result
    }

    private mutating func record(
        _ operation: CopyOperation, _ listID: UInt8?, completedSegmentCount: Int, hasFailed: Bool
    ) {
        guard let listID else { return }
        let byteCount = operation.segments.prefix(completedSegmentCount).reduce(0) { $0 + $1.sectors.byteCount }
        state.nexuses.record(
            CopyResults.Entry(
                listID: listID, hasFailed: hasFailed, segmentCount: UInt16(clamping: completedSegmentCount),
                byteCount: UInt32(clamping: byteCount)), of: operation.origin.nexus)
    }

    func copyStatus(_ fields: ReceiveCopyResultsCDB, of nexus: NexusID) throws(CommandRefusal) -> DeviceServerAction {
        let listID = fields.listIdentifier
        let entry = state.nexuses.attached[nexus]?.copies.entry(of: listID)
        let isRunning = isRunning(listID, of: nexus)
        guard isRunning || entry != nil else { throw .invalidFieldInCDB(byte: 2) }
        let data = CopyResults.statusData(isRunning ? nil : entry)
        return .complete(CommandResult(dataIn: data, allocationLength: fields.allocationLength))
    }

    private func isRunning(_ listID: UInt8, of nexus: NexusID) -> Bool {
        runningCopies.contains { $0.nexus == nexus && $0.listID == listID }
    }
}

extension DeviceServer.RunningCopy {
    fileprivate init(_ operation: CopyOperation) {
        self.init(
            frontend: operation.origin.frontend, number: operation.origin.number, nexus: operation.origin.nexus,
            listID: operation.listID)
    }

    func isOf(_ origin: CommandOrigin) -> Bool { frontend == origin.frontend && number == origin.number }
}

extension CopyOperation {
    fileprivate func result(isGood: Bool) -> CommandResult {
        guard isGood, !endsInFailure else {
            return CommandResult(.copyTargetNotReachable, transferByteCount: dataOutByteCount)
        }
        return CommandResult(status: .good, transferByteCount: dataOutByteCount)
    }
}

extension CopyParameterList.Segment {
    /// Of a unit that there is not, nothing will be copied, whatever its blocks are.
    fileprivate func sectorCount(from source: CopyTarget?, to destination: CopyTarget?) -> UInt32 {
        switch length {
        case .sectors(let count): return count
        case .blocks(let count, let isOfDestination):
            let counting = isOfDestination ? destination : source
            return count * (counting?.blockSize.sectorCount ?? 1)  // 16 bits and 3.
        }
    }
}

extension CopyTarget {
    fileprivate func contains(_ start: UInt64, count: UInt32) -> Bool {
        start <= sectorCount && UInt64(count) <= sectorCount - start
    }
}
