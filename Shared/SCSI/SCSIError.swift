// SPDX-License-Identifier: Apache-2.0

/// Why a command ends with CHECK CONDITION. What the initiator is to do about it is the `sense`, and that is all a
/// caller acts on.
package enum SCSIError: Error, Equatable, Sendable {
    case invalidOperationCode
    case logicalUnitNotSupported
    case unitAttention(UnitAttention)
    case becomingReady
    case manualInterventionRequired
    case writeProtected
    /// With the offending byte; the bit for one-bit fields, the highest of a longer field that shares its byte.
    case invalidFieldInCDB(byte: Int, bit: UInt8?)
    case logicalBlockAddressOutOfRange
    /// The expected data transfer length contradicts the CDB.
    case invalidFieldInCommandInformationUnit
    case parameterListLengthError
    case invalidFieldInParameterList(byte: Int)
    case savingParametersNotSupported
    /// Offset of the first different byte in the compare half.
    case miscompare(byteOffset: UInt64)
    case unrecoveredReadError(sector: UInt64)
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
        case .writeProtected: Sense(.dataProtect, 0x2700)
        case .invalidFieldInCDB(let byte, let bit):
            Sense(
                .illegalRequest, 0x2400,
                fieldPointer: .init(isInCDB: true, byte: UInt16(clamping: byte), bit: bit))
        case .logicalBlockAddressOutOfRange: Sense(.illegalRequest, 0x2100)
        case .invalidFieldInCommandInformationUnit: Sense(.illegalRequest, 0x0E03)
        case .parameterListLengthError: Sense(.illegalRequest, 0x1A00)
        case .invalidFieldInParameterList(let byte):
            Sense(
                .illegalRequest, 0x2600,
                fieldPointer: .init(isInCDB: false, byte: UInt16(clamping: byte), bit: nil))
        case .savingParametersNotSupported: Sense(.illegalRequest, 0x3900)
        case .miscompare(let byteOffset): Sense(.miscompare, 0x1D00, information: byteOffset)
        case .unrecoveredReadError(let sector): Sense(.mediumError, 0x1100, information: sector)
        case .writeError: Sense(.mediumError, 0x0C00)
        case .protocolServiceCRCError: Sense(.abortedCommand, 0x4705)
        case .aborted: Sense(.abortedCommand, 0x0000)
        }
    }
}
