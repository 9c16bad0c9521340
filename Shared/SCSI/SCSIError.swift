// SPDX-License-Identifier: Apache-2.0

/// Why a command ends with CHECK CONDITION. What the initiator is to do about it is the `sense`, and that is all a
/// caller acts on.
package enum SCSIError: Error, Equatable, Sendable {
    case invalidOperationCode
    case logicalUnitNotSupported
    case unitAttention(UnitAttention)
    case becomingReady
    case manualInterventionRequired
    /// Ejected.
    case mediumNotPresent
    /// How much of the unit is done, in 65,536ths.
    case sanitizeInProgress(progress: UInt16)
    case writeProtected
    /// By the control mode page.
    case softwareWriteProtected
    /// With the offending byte; the bit for one-bit fields, the highest of a longer field that shares its byte.
    case invalidFieldInCDB(byte: Int, bit: UInt8?)
    case logicalBlockAddressOutOfRange
    /// The expected data transfer length contradicts the CDB.
    case invalidFieldInCommandInformationUnit
    case parameterListLengthError
    case invalidFieldInParameterList(byte: Int, bit: UInt8? = nil)
    case invalidReleaseOfPersistentReservation
    case insufficientRegistrationResources
    /// The command's data is more than there is memory for, ever.
    case insufficientResources
    case savingParametersNotSupported
    case mediumRemovalPrevented
    case tooManyTargetDescriptors
    case unsupportedTargetDescriptorType(byte: Int)
    case tooManySegmentDescriptors
    case unsupportedSegmentDescriptorType(byte: Int)
    /// A copy with this list identifier still runs.
    case operationInProgress
    /// A copy stopped because a unit that it names is not there, or not that large.
    case copyTargetNotReachable
    /// Offset of the first different byte in the compare half.
    case miscompare(byteOffset: UInt64)
    case unrecoveredReadError(blockAddress: UInt64)
    case writeError
    /// Not all write data arrived as promised; nothing was written. Raised by the transport.
    case protocolServiceCRCError
    case aborted

    package var sense: Sense {
        switch self {
        case .invalidOperationCode: Sense(.illegalRequest, 0x2000)
        case .logicalUnitNotSupported: Sense(.illegalRequest, 0x2500)
        case .unitAttention(let attention): Sense(.unitAttention, attention.rawValue)
        case .becomingReady: Sense(.notReady, 0x0401)
        case .manualInterventionRequired: Sense(.notReady, 0x0403)
        case .mediumNotPresent: Sense(.notReady, 0x3A00)
        case .sanitizeInProgress(let progress): Sense(.notReady, 0x041B, progressIndication: progress)
        case .writeProtected: Sense(.dataProtect, 0x2700)
        case .softwareWriteProtected: Sense(.dataProtect, 0x2702)
        case .invalidFieldInCDB(let byte, let bit): .illegalField(0x2400, isInCDB: true, byte: byte, bit: bit)
        case .logicalBlockAddressOutOfRange: Sense(.illegalRequest, 0x2100)
        case .invalidFieldInCommandInformationUnit: Sense(.illegalRequest, 0x0E03)
        case .miscompare(let byteOffset): Sense(.miscompare, 0x1D00, information: byteOffset)
        case .unrecoveredReadError(let blockAddress): Sense(.mediumError, 0x1100, information: blockAddress)
        case .writeError: Sense(.mediumError, 0x0C00)
        case .protocolServiceCRCError: Sense(.abortedCommand, 0x4705)
        case .aborted: Sense(.abortedCommand, 0x0000)
        case .parameterListLengthError: Sense(.illegalRequest, 0x1A00)
        case .invalidFieldInParameterList(let byte, let bit):
            .illegalField(0x2600, isInCDB: false, byte: byte, bit: bit)
        case .invalidReleaseOfPersistentReservation: Sense(.illegalRequest, 0x2604)
        case .insufficientRegistrationResources: Sense(.illegalRequest, 0x5504)
        case .insufficientResources: Sense(.illegalRequest, 0x5503)
        case .savingParametersNotSupported: Sense(.illegalRequest, 0x3900)
        case .mediumRemovalPrevented: Sense(.illegalRequest, 0x5302)
        case .tooManyTargetDescriptors: Sense(.illegalRequest, 0x2606)
        case .unsupportedTargetDescriptorType(let byte):
            .illegalField(0x2607, isInCDB: false, byte: byte, bit: nil)
        case .tooManySegmentDescriptors: Sense(.illegalRequest, 0x2608)
        case .unsupportedSegmentDescriptorType(let byte):
            .illegalField(0x2609, isInCDB: false, byte: byte, bit: nil)
        case .operationInProgress: Sense(.illegalRequest, 0x0016)
        case .copyTargetNotReachable: Sense(.copyAborted, 0x0D02)
        }
    }
}
