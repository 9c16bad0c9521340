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

        let segments = resolved(list, resolve)
        if segments.contains(where: { $0.destination == unit.volume }), let error = writeProtection {
            throw .error(error)
        }
        let operation = CopyOperation(
            origin: origin, segments: segments, endsInFailure: segments.count < list.segments.count, listID: listID,
            dataOutByteCount: dataOut.count)
        if operation.segments.allSatisfy({ $0.sectors.count == 0 }) {
            record(operation, completedSegmentCount: segments.count, hasFailed: operation.endsInFailure)
            return .complete(operation.result(isGood: true))
        }
        runningCopies.append(RunningCopy(operation))
        return .copy(operation)
    }

    /// The segments up to the first that names no unit or goes beyond one.
    private func resolved(
        _ list: CopyParameterList, _ resolve: (VolumeID) -> CopyTarget?
    ) -> [CopyOperation.Segment] {
        let targets = list.targets.map { $0.flatMap(volume(named:)).flatMap(resolve) }
        var segments: [CopyOperation.Segment] = []
        for segment in list.segments {
            guard targets.indices.contains(segment.sourceIndex), let source = targets[segment.sourceIndex],
                targets.indices.contains(segment.destinationIndex),
                let destination = targets[segment.destinationIndex],
                source.contains(segment.sourceStart, count: segment.sectorCount),
                destination.contains(segment.destinationStart, count: segment.sectorCount)
            else { break }
            segments.append(
                CopyOperation.Segment(
                    source: source.volume, sectors: SectorRange(start: segment.sourceStart, count: segment.sectorCount),
                    destination: destination.volume, destinationStart: segment.destinationStart))
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
    /// - Returns: The answer, once the state is saved.
    package mutating func finishCopy(
        _ operation: CopyOperation, completedSegmentCount: Int, isGood: Bool
    ) -> CommandResult {
        let result = operation.result(isGood: isGood)
        runningCopies.removeAll { $0.isOf(operation.origin) }
        record(operation, completedSegmentCount: completedSegmentCount, hasFailed: result.status != .good)
        change { $0.answered.remember(.completed(result), of: operation.origin) }
        return result
    }

    private mutating func record(_ operation: CopyOperation, completedSegmentCount: Int, hasFailed: Bool) {
        guard let listID = operation.listID else { return }
        let byteCount = operation.segments.prefix(completedSegmentCount).reduce(0) { $0 + $1.sectors.byteCount }
        state.nexuses.attached[operation.origin.nexus]?.copies.record(
            CopyResults.Entry(
                listID: listID, hasFailed: hasFailed, segmentCount: UInt16(clamping: completedSegmentCount),
                byteCount: UInt32(clamping: byteCount)))
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

extension CopyTarget {
    fileprivate func contains(_ start: UInt64, count: UInt32) -> Bool {
        start <= sectorCount && UInt64(count) <= sectorCount - start
    }
}
