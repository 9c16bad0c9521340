// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The end of a command: everything a SCSI Response needs but the residual, which the transport computes from
/// `transferByteCount` and the initiator's expected data transfer length.
package struct CommandResult: Equatable, Sendable {
    package var status: SCSIStatus
    /// Present exactly with CHECK CONDITION.
    package var sense: Sense?
    /// Parameter data, already cut to the allocation length; empty for commands that read the medium.
    package var dataIn: [UInt8]
    /// The SCSI transfer length (SPDTL) in the command's direction; 0 when it was refused before any data was wanted.
    package var transferByteCount: Int

    package init(status: SCSIStatus, sense: Sense? = nil, dataIn: [UInt8] = [], transferByteCount: Int = 0) {
        self.status = status
        self.sense = sense
        self.dataIn = dataIn
        self.transferByteCount = transferByteCount
    }

    package static let good = CommandResult(status: .good)
    package static let busy = CommandResult(status: .busy)
    package static let taskSetFull = CommandResult(status: .taskSetFull)
    package static let reservationConflict = CommandResult(status: .reservationConflict)
    package static let taskAborted = CommandResult(status: .taskAborted)

    /// CHECK CONDITION.
    package init(_ error: SCSIError, transferByteCount: Int = 0) {
        self.init(status: .checkCondition, sense: error.sense, transferByteCount: transferByteCount)
    }

    /// GOOD with parameter data, cut to what the initiator has room for: never a residual overflow.
    package init(dataIn: [UInt8], allocationLength: Int) {
        let cut = dataIn.count <= allocationLength ? dataIn : Array(dataIn[..<allocationLength])
        self.init(status: .good, dataIn: cut, transferByteCount: cut.count)
    }

    /// A volume that another gateway owns is gone from here for good: not a data error, and not worth a retry, so that
    /// a multipath initiator turns to the other path.
    /// - Parameter blockSize: what the initiator counts in.
    package init(
        _ outcome: MediumOutcome, _ blockSize: LogicalBlockSize, dataOutByteCount: Int, dataInByteCount: Int = 0
    ) {
        let error: SCSIError
        switch outcome {
        case .good:
            self.init(status: .good, transferByteCount: dataOutByteCount + dataInByteCount)
            return
        case .busy:
            self.init(status: .busy, transferByteCount: dataOutByteCount)
            return
        case .reservationConflict:
            self.init(status: .reservationConflict, transferByteCount: dataOutByteCount)
            return
        case .checkCondition(let sense):
            self.init(status: .checkCondition, sense: sense, transferByteCount: dataOutByteCount)
            return
        case .miscompare(let byteOffset): error = .miscompare(byteOffset: byteOffset)
        case .outOfRange: error = .logicalBlockAddressOutOfRange
        case .mediumError(let sector): error = .unrecoveredReadError(blockAddress: blockSize.address(ofSector: sector))
        case .writeError: error = .writeError
        case .fenced: error = .manualInterventionRequired
        case .unknownVolume: error = .logicalUnitNotSupported
        case .refused: error = .aborted
        }
        self.init(error, transferByteCount: dataOutByteCount)
    }
}
